/**
 * Who a process is, beyond its number: pids are used again within hours on a busy machine, so a pid alone makes a dead
 * peer look alive. With the start time (proc_pid_stat(5), field 22) and the boot id (random(4)) a process is unique;
 * the pid namespace (pid_namespaces(7)) tells whether our process table can judge it at all.
 */
import { readFileSync, readlinkSync } from 'node:fs';

/** A process, as it is recorded in a store. Only `pid` is always known: the reference implementation writes no more. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks between boot and the start of the process, as text. */
  readonly start: string | undefined;
  /** The kernel's random id of this boot. */
  readonly boot: string | undefined;
  /** Inode of the pid namespace that `pid` belongs to. */
  readonly namespace: string | undefined;
}

/** What is read of a process in /proc. */
export interface ProcStat {
  readonly state: string;
  /** The kernel's own flags. */
  readonly flags: number;
  readonly start: string;
}

/** State letter, flags and start time of a process from /proc, or undefined where there is none to read. */
export function readProcStat(pid: number): ProcStat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    // No such process, no /proc, or hidden from us (hidepid): the caller falls back on signal 0.
    return undefined;
  }
  // The command in parentheses may itself hold spaces and parentheses, so fields are counted from its end.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, flags, start] = [fields[0], fields[6], fields[19]];
  return state === undefined || start === undefined ? undefined : { state, flags: Number(flags), start };
}

function bootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    // Not Linux: identities are then compared by what else is known.
    return undefined;
  }
}

function pidNamespace(): string | undefined {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0];
  } catch {
    // Not Linux, or /proc is not mounted.
    return undefined;
  }
}

let own: ProcessIdentity | undefined;

/** The identity of this process. */
export function ownIdentity(): ProcessIdentity {
  own ??= { pid: process.pid, start: readProcStat(process.pid)?.start, boot: bootId(), namespace: pidNamespace() };
  return own;
}

/** The line in which an identity is recorded: `pid start boot namespace`, with `-` for what is not known. */
export function formatIdentity(identity: ProcessIdentity): string {
  return [identity.pid, identity.start ?? '-', identity.boot ?? '-', identity.namespace ?? '-'].join(' ');
}

/** The identity in such a line, or undefined if it is none. */
export function parseIdentity(line: string): ProcessIdentity | undefined {
  const [pid, ...rest] = line.trim().split(/\s+/, 4);
  if (pid === undefined || !/^[1-9]\d{0,9}$/.test(pid)) return undefined;
  const [start, boot, namespace] = rest.map((field) => (field === '-' ? undefined : field));
  return { pid: Number(pid), start, boot, namespace };
}
