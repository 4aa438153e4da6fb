/** What outlives the process that made it: daemons, and stores that were handed over. */
import assert from 'node:assert/strict';
import { rejectsWith, takeContents } from '../assertions.ts';
import { lives } from '../faults.ts';
import { helper, type About, type Ask } from '../services/helper.ts';
import type { Suite } from '../suite.ts';
import { until } from '../until.ts';

/** Does the work, and then ends a process that nobody else would end if the work fails. */
async function ending(pid: number, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } finally {
    if (lives(pid)) process.kill(pid, 'SIGKILL');
  }
}

/** Tests of daemons and of `Spawn.cleave`. */
export function serviceDaemonTests(suite: Suite): void {
  suite.crossProcess('a daemon is another process than the one that was started, and nobody’s child', async (scene) => {
    const bus = await scene.bus();
    const handle = await scene.service(bus, 'daemon', helper, { daemonize: true });
    const pid = (await handle.servicePid()) ?? 0;
    await ending(pid, async () => {
      assert.notEqual(pid, handle.childPid);
      assert.deepEqual(await handle.ended, { code: 0, signal: null }, 'the first process has gone');
      assert.equal(((await handle.request({ do: 'about' })) as About).pid, pid);
      await handle.detach();
      await rejectsWith(handle.request({ do: 'echo' }), 'IPCM_NOT_CONNECTED');
      const other = await scene.handle<Ask>(bus, 'daemon');
      assert.equal(await other.request({ do: 'echo', with: 'still there' }), 'still there');
      await other.terminate({ timeout: 10_000 });
      await until('the daemon has gone', () => !lives(pid));
    });
    await rejectsWith(scene.service(undefined, 'homeless', helper, { daemonize: true }), 'IPCM_INVALID_OPTION');
  });

  suite.crossProcess('a request to a daemon that is killed fails at once', async (scene) => {
    const bus = await scene.bus();
    const handle = await scene.service(bus, 'daemon', helper, { daemonize: true });
    const pid = (await handle.servicePid()) ?? 0;
    const pending = handle.request({ do: 'hang' }, { timeout: 25_000 });
    await handle.request({ do: 'echo' });
    process.kill(pid, 'SIGKILL');
    await rejectsWith(pending, 'IPCM_PEER_GONE');
  });

  suite.crossProcess(
    'a store that was handed over outlives its maker, until its keeper is told to end it',
    async (scene) => {
      const child = await scene.child();
      const { info, route, keeper } = await scene.cleaveIn(child);
      await ending(keeper, async () => {
        assert.notEqual(keeper, child.pid);
        await child.last('exit', { code: 0 });
        assert.ok(await scene.exists({ route }));
        const [a, b] = [await scene.connect(info, 'a'), await scene.connect(info, 'b')];
        await a.sendMessage('b', 'over the store of somebody who has gone');
        assert.deepEqual(await takeContents(b, 1), ['over the store of somebody who has gone']);
        await Promise.all([a.disconnect(), b.disconnect()]);
        process.kill(keeper, 'SIGTERM');
        await until('the keeper has gone', () => !lives(keeper));
        assert.equal(await scene.exists({ route }), false);
      });
    },
  );

  suite.crossProcess(
    'a store that was handed over ends by itself when nobody has been there for a while',
    async (scene) => {
      const bus = await scene.bus({ guard: true });
      const client = await scene.connect(bus, 'client');
      const { pid } = await bus.cleave({ idleTimeout: 100 });
      await ending(pid, async () => {
        assert.equal(bus.guard, false, 'this process does not remove it any more');
        await client.sendMessage('client', 'for as long as somebody is there');
        assert.equal((await takeContents(client, 1)).length, 1);
        await client.disconnect();
        await until('its keeper has gone', () => !lives(pid));
        assert.equal(await scene.exists(bus), false);
      });
    },
  );
}
