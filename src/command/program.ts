/** The command as a whole: its subcommands, its help, and how it ends. */
import { Command, CommanderError } from 'commander';
import { addBroadcast } from './broadcast.ts';
import { addConnect } from './connect.ts';
import { addDemo } from './demo/demo.ts';
import { addDemoRole } from './demo/role.ts';
import { addDestroy } from './destroy.ts';
import { addDoctor } from './doctor.ts';
import { exitCodeFor, exitCodes, reportError, usageError } from './exit.ts';
import { addGlobalOptions } from './options.ts';
import { addPeers } from './peers.ts';
import { addReap } from './reap.ts';
import { addRecv } from './recv.ts';
import { addRequest } from './request.ts';
import { addSend } from './send.ts';
import { addServe } from './serve.ts';
import { addServices } from './services.ts';
import { addSpawn } from './spawn.ts';
import { addStats } from './stats.ts';
import { version } from './version.ts';

const notes = `
stdout is data, stderr is talk. Errors are "ipcm: CODE: message"; IPCM_DEBUG=1 adds the stack, NO_COLOR=1 takes the colours.

Exit codes: 0 ok, 1 failure, 2 usage, 3 timeout, 4 peer gone or unknown, 5 messages sent and read do not add up,
130 interrupted. The first Ctrl-C finishes what is in hand, the second ends at once.

Examples:
  $ export IPCM_INFO=$(ipcm spawn --keep)
  $ ipcm recv mailbox --suspend                # makes a name for which messages wait
  $ ipcm send mailbox '{"hello":"world"}'
  $ ipcm recv mailbox
  $ ipcm destroy
  $ ipcm serve echo.ts                         # a service; ask it with "ipcm request echo …"
  $ ipcm demo README.md                        # counts words in several processes`;

function makeProgram(): Command {
  const program = new Command('ipcm')
    .description('Messages between processes, without a broker.')
    .version(version, '-V, --version')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    // Commander's own line would not have the form of our errors: `main` reports them all.
    .configureOutput({ outputError: () => undefined })
    .addHelpText('after', notes);
  addGlobalOptions(program);
  for (const add of [
    addSpawn,
    addConnect,
    addSend,
    addRecv,
    addBroadcast,
    addServe,
    addRequest,
    addServices,
    addPeers,
    addStats,
    addDestroy,
    addReap,
    addDoctor,
    addDemo,
    addDemoRole,
  ]) {
    add(program);
  }
  return program;
}

/** Runs the command with its arguments; resolves to the exit code. Whatever goes wrong has been reported by then. */
export async function main(args: readonly string[]): Promise<number> {
  const json = args.includes('--json');
  try {
    const program = makeProgram();
    if (args.length === 0) program.help({ error: true });
    await program.parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? exitCodes.ok);
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      reportError(error, json);
      return exitCodeFor(error);
    }
    if (error.exitCode === 0) return exitCodes.ok;
    // Help that was shown because nothing else was asked for says it all.
    if (error.code !== 'commander.help') {
      reportError(usageError(`${error.message.replace(/^error: /, '')} ("ipcm --help" tells more)`), json);
    }
    return exitCodes.usage;
  }
}
