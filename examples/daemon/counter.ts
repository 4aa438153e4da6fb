// The command-line front end: `node counter.ts DIRECTORY start`, then `add 5`, then `stop`.
import { ipcmSpawn, isIpcError } from 'ipc-manager';
import { ipcmService, ipcmServiceHandle } from 'ipc-manager/service';
import daemon, { type Command } from './daemon.ts';

const [, , route = '', verb, number] = process.argv;
const info = JSON.stringify(['MessageFiles', 'JSON', route]);

async function start(): Promise<void> {
  // A store that stays when this process ends: where it is, is all that others need to know.
  await using bus = await ipcmSpawn({ protocol: 'MessageFiles', serializer: 'JSON', route, guard: false });
  const handle = await ipcmService('counter', daemon, { ipcmInfo: bus.info, daemonize: true });
  console.log(`started, process ${await handle.servicePid()}`);
  // Unlike stop(), which would end it.
  await handle.detach();
}

async function ask(command: Command): Promise<void> {
  const handle = await ipcmServiceHandle<Command, { total: number; pid: number }>('counter', info);
  try {
    const { total, pid } = await handle.request(command, { timeout: 10_000 });
    console.log(`${total}, says process ${pid}`);
    if ('stop' in command) await handle.client.waitForPeersGone('counter', { timeout: 10_000 });
  } catch (error) {
    if (!isIpcError(error, 'IPCM_PEER_UNKNOWN')) throw error;
    console.log('it does not run');
    process.exitCode = 4;
  } finally {
    await handle.stop();
  }
}

if (verb === 'start') await start();
else if (verb === 'add') await ask({ add: Number(number) });
else await ask({ stop: true });
