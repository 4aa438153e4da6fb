/**
 * `NAME.pid`: who holds a name.
 *
 * The first line is the pid alone, which is all that the reference writes and reads. The second is our own: the identity
 * that makes it unique, then ` service` where the client answers requests, ` since=` and the time where its inbox was made anew,
 * ` ack` where it reads with acknowledgement, so that its messages are kept when it dies, and ` packs` where it reads several
 * messages in one piece.
 */
import { formatIdentity, parseIdentity, type ProcessIdentity } from '../../liveness/identity.ts';
import { isAlive } from '../../liveness/alive.ts';
import { readSmall, removeFile } from './files.ts';

/** What a pid file says. */
export interface PidRecord {
  readonly identity: ProcessIdentity;
  /** True when messages of this client outlive it. */
  readonly acknowledge: boolean;
  /** True when this client answers requests. */
  readonly service?: boolean | undefined;
  /** See `PeerEntry`. */
  readonly since?: number | undefined;
  /** True when it may be sent several messages in one piece. */
  readonly packs?: boolean | undefined;
}

/** The content of a pid file. */
export function formatPid(record: PidRecord): Buffer {
  const { identity, acknowledge, service, since, packs } = record;
  const made = since === undefined ? '' : ` since=${since}`;
  const marks = `${service === true ? ' service' : ''}${made}${acknowledge ? ' ack' : ''}${packs === true ? ' packs' : ''}`;
  return Buffer.from(`${identity.pid}\n${formatIdentity(identity)}${marks}\n`);
}

/** What a pid file says; undefined where there is none, or it is not written yet. */
export function readPid(path: string): PidRecord | undefined {
  const text = readSmall(path, 512)?.toString('latin1');
  if (text === undefined) return undefined;
  const [first = '', second = ''] = text.split('\n');
  const plain = parseIdentity(first);
  if (plain === undefined) return undefined;
  const full = parseIdentity(second);
  if (full?.pid !== plain.pid) return { identity: plain, acknowledge: false };
  const marks = second.trimEnd().split(' ').slice(4);
  const made = Number(marks.find((mark) => mark.startsWith('since='))?.slice('since='.length));
  return {
    identity: full,
    acknowledge: marks.includes('ack'),
    service: marks.includes('service'),
    since: Number.isFinite(made) ? made : undefined,
    packs: marks.includes('packs'),
  };
}

/** True when two records name the same process. */
export function isSameProcess(a: ProcessIdentity | undefined, b: ProcessIdentity | undefined): boolean {
  return a !== undefined && b !== undefined && formatIdentity(a) === formatIdentity(b);
}

/** Removes a pid file that is `identity`'s; leaves that of a successor. */
export function removeOwnPid(path: string, identity: ProcessIdentity): void {
  if (isSameProcess(readPid(path)?.identity, identity)) removeFile(path);
}

/** Judges many processes, each one once. */
export function livenessCache(): (identity: ProcessIdentity) => boolean {
  const judged = new Map<string, boolean>();
  return (identity) => {
    const key = formatIdentity(identity);
    let alive = judged.get(key);
    if (alive === undefined) judged.set(key, (alive = isAlive(identity)));
    return alive;
  };
}
