/** What the rows of the tables mean. Anybody may have written them, so nothing about their types is taken for granted. */
import { formatIdentity, parseIdentity, type ProcessIdentity } from '../../liveness/identity.ts';
import type { ConnectRequest, PeerEntry } from '../../protocol/protocol.ts';
import type { Row, Value } from './query.ts';

/** A client's row. */
export interface PeerRow {
  readonly name: string;
  readonly identity: ProcessIdentity | undefined;
  /** When it connected; undefined for one that is leaving. */
  readonly active: number | undefined;
  readonly expiresAt: number | undefined;
  /** Whether that is over, where the database tells it by its own clock. */
  readonly expired: boolean | undefined;
  /** True when its messages outlive it. */
  readonly acknowledge: boolean;
  /** True when it answers requests. */
  readonly service: boolean;
  /** See `PeerEntry`. */
  readonly since: number | undefined;
  /** `ipcm_process`, as it stands. */
  readonly process: string | undefined;
  /** True when its lease is over, or it has none, where there are leases. */
  readonly silent: boolean;
}

/** Judges a process; `silent` as in {@link PeerRow}. */
export type Judge = (identity: ProcessIdentity, silent: boolean) => boolean;

/** Text, also where it stands as bytes. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length).toString('utf8');
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : '';
}

/** Bytes, also where they stand as text. */
export function bytesOf(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? value : Buffer.from(textOf(value));
}

/** A number, if it is one. */
export function numberOf(value: unknown): number | undefined {
  if (value === null || value === undefined || value === '') return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

/** A client's row, or undefined where the row says that nobody is there. */
export function peerRow(row: Row): PeerRow | undefined {
  const [pid, active] = [numberOf(row['pid']), numberOf(row['active'])];
  if (pid === undefined && active === undefined) return undefined;
  const process = typeof row['ipcm_process'] === 'string' ? row['ipcm_process'] : undefined;
  const full = process === undefined ? undefined : parseIdentity(process);
  // The reference changes the pid alone: what stands beside another pid is a predecessor's.
  const known = full !== undefined && full.pid === pid;
  return {
    name: textOf(row['id']),
    identity: pid === undefined ? undefined : known ? full : bareIdentity(pid),
    active,
    expiresAt: pid === undefined ? numberOf(row['suspend_expires']) : undefined,
    expired: 'expired' in row ? row['expired'] === true || row['expired'] === 1 : undefined,
    acknowledge: known && process?.endsWith(' ack') === true,
    service: known && process?.split(' ').includes('service') === true,
    since: known ? numberOf(row['ipcm_since']) : undefined,
    process: known ? process : undefined,
    silent: row['silent'] === true || row['silent'] === 1,
  };
}

function bareIdentity(pid: number): ProcessIdentity {
  return { pid, start: undefined, boot: undefined, namespace: undefined };
}

/** The column `ipcm_process` of a client. */
export function processColumn({ identity, service, acknowledge }: ConnectRequest): string {
  return `${formatIdentity(identity)}${service === true ? ' service' : ''}${acknowledge ? ' ack' : ''}`;
}

/** True when a suspended client has missed its deadline. */
export function hasExpired({ expiresAt, expired }: PeerRow): boolean {
  return expiresAt !== undefined && (expired ?? expiresAt * 1000 <= Date.now());
}

/** True when the client died, or missed its deadline. */
export function isDead(peer: PeerRow, isAlive: Judge): boolean {
  return peer.identity === undefined ? hasExpired(peer) : !isAlive(peer.identity, peer.silent);
}

/** A peer as the store shows it. */
export function entryOf(peer: PeerRow, isAlive: Judge): PeerEntry {
  const { name, identity, active, expiresAt, since } = peer;
  const service = peer.service ? { service: true } : {};
  const made = since === undefined ? {} : { since };
  if (isDead(peer, isAlive)) return { name, state: 'dead', identity, expiresAt, ...service };
  if (identity === undefined) return { name, state: 'suspended', identity, expiresAt };
  const state = active === undefined ? 'leaving' : 'active';
  return { name, state, identity, expiresAt: undefined, ...service, ...made };
}

/** Judges many processes, each one once. */
export function livenessCache(isAlive: Judge): Judge {
  const judged = new Map<string, boolean>();
  return (identity, silent) => {
    const key = `${formatIdentity(identity)} ${silent}`;
    let alive = judged.get(key);
    if (alive === undefined) judged.set(key, (alive = isAlive(identity, silent)));
    return alive;
  };
}

const dash = 0x2d;
const numeric = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i;

/**
 * A message id as it is bound. The column's type, UUID, means nothing to some databases, and SQLite turns what looks like a
 * number into one (`007` into 7): such an id is bound as bytes, which stay as they are.
 */
export function idValue(id: string): Value {
  // A UUID cannot be one: with dashes here and there it is none, and most ids are UUIDs.
  if (id.length === 36 && id.charCodeAt(8) === dash && id.charCodeAt(13) === dash) return id;
  return numeric.test(id) ? Buffer.from(id) : id;
}

/** True when two rows are of the same client in the same life. */
export function isSameLife(a: PeerRow | undefined, b: PeerRow | undefined): boolean {
  return lifeOf(a) === lifeOf(b);
}

/** Changes each time that a client connects, leaves or suspends. */
export function lifeOf(peer: PeerRow | undefined): string {
  return peer === undefined ? '' : `${peer.identity?.pid} ${peer.active} ${peer.expiresAt} ${peer.process}`;
}
