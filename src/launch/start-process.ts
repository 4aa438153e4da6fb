/** Starts the process of a plan, with the private pipe on descriptor 3. */
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { closeSync, existsSync } from 'node:fs';
import type { Stream } from 'node:stream';
import { IpcError, isIpcError, quote, systemCode } from '../errors.ts';
import { withCodeCache } from './code-cache.ts';
import { outputDescriptor, type LaunchPlan, type OutputTarget } from './options.ts';

/** What its descriptors are. */
export interface Outputs {
  readonly stdout: OutputTarget;
  readonly stderr: OutputTarget;
  readonly daemon: boolean;
  readonly inherit: readonly Stream[];
}

/** What it means that a process was not made: Node blames the program for a working directory that is not there. */
export function notStarted(error: Error, { cwd }: LaunchPlan): Error {
  if (systemCode(error) !== 'ENOENT' || cwd === undefined || existsSync(cwd)) return error;
  return new Error(`its cwd ${quote(cwd)} does not exist`, { cause: error });
}

/** Starts it. Throws `IPCM_SERVICE_FAILED`, or `IPCM_INVALID_OPTION` for an output that cannot be written to. */
export function startProcess({ command, env, cwd }: LaunchPlan, outputs: Outputs): ChildProcess {
  const { stdout, stderr, daemon, inherit } = outputs;
  const [file = '', ...args] = command;
  // A daemon's goes on when this process has ended.
  const isTold = stderr === 'inherit' && !daemon;
  const opened: (number | 'inherit' | 'ignore' | 'pipe')[] = [];
  try {
    opened.push(outputDescriptor(stdout));
    opened.push(isTold ? 'pipe' : outputDescriptor(stderr));
    const stdio: StdioOptions = ['ignore', ...opened, 'pipe', ...inherit];
    // Loaded when it is needed: most services start no others.
    return process.getBuiltinModule('node:child_process').spawn(file, args, { env: withCodeCache(env), cwd, stdio });
  } catch (error) {
    if (isIpcError(error)) throw error;
    throw new IpcError('IPCM_SERVICE_FAILED', `${quote(file)} cannot be started: ${String(error)}`, { cause: error });
  } finally {
    for (const descriptor of opened) if (typeof descriptor === 'number') closeSync(descriptor);
  }
}
