/**
 * The program of a process that was started for a service or a worker.
 *
 * The private pipe says what to be; the first answer on it is that this process is ready, or why it never will be. The end
 * of the pipe means that whoever started this process has gone: then it ends too, unless it is a daemon that was ready in time.
 */
import { inspect } from 'node:util';
import type { Assignment, Daemonize } from '../launch/assignment.ts';
import { forgetCodeCache } from '../launch/code-cache.ts';
import { errorRecord } from '../launch/errors.ts';
import { controlDescriptor, readFrame, StarterGone, writeFrame } from '../launch/frames.ts';
import { explainInline } from '../launch/source.ts';
import { guardStderr, StarterWatch } from '../launch/starter.ts';
import { ownIdentity } from '../liveness/identity.ts';
import { runRole } from './roles.ts';
import { longestEnd, resolveSettings, settingsOf } from './settings.ts';

guardStderr();
const first = firstFrame() as Assignment | Daemonize;
if ('daemonize' in first) daemonize(first);
else await begin(first);

/** A spare process waits here for its assignment, and is not needed any more when whoever started it has gone. */
function firstFrame(): unknown {
  try {
    return readFrame();
  } catch (error) {
    if (error instanceof StarterGone) process.exit();
    throw error;
  }
}

/** Starts the daemon in a session of its own, and goes away: the daemon is nobody's child. */
function daemonize({ inherit }: Daemonize): void {
  const args = [...process.execArgv, ...process.argv.slice(1)];
  const { spawn } = process.getBuiltinModule('node:child_process');
  const handedOn = Array.from({ length: 1 + inherit }, (_, n) => controlDescriptor + n);
  spawn(process.execPath, args, { detached: true, stdio: ['ignore', 'inherit', 'inherit', ...handedOn] }).unref();
}

async function begin(assignment: Assignment): Promise<void> {
  let isReady = false;
  forgetCodeCache();
  try {
    const { settings } = assignment;
    // That of a worker is bounded by its service; what a service's definition says is known later.
    const starter = new StarterWatch(longestEnd(resolveSettings(settingsOf(settings))), settings['daemon'] === true);
    const never = await runRole(assignment, starter, () => {
      isReady = true;
      writeFrame({ event: 'ready', process: ownIdentity() });
      starter.begin();
    });
    if (never !== undefined) writeFrame({ event: 'failed', error: errorRecord(never) });
    process.exit();
  } catch (thrown) {
    const error = explainInline(thrown);
    writeFrame({ event: isReady ? 'ended' : 'failed', error: errorRecord(error) });
    // After that it has failed like any other program.
    if (isReady) process.stderr.write(`${inspect(error)}\n`);
    process.exit(1);
  }
}
