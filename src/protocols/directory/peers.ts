/** Who is in a store: read from the names of its files, with a look into pid files only. */
import { readdirSync, type Dirent } from 'node:fs';
import { isAlive } from '../../liveness/alive.ts';
import type { ProcessIdentity } from '../../liveness/identity.ts';
import type { PeerEntry } from '../../protocol/protocol.ts';
import { look, readSmall, storeError, type Place } from './files.ts';
import type { EntryKind } from './entry-kind.ts';
import { isEntryName, nameOf } from './names.ts';
import { livenessCache, readPid, type PidRecord } from './pid-file.ts';

/** What stands under one name. */
export interface Standing {
  /** True when the entry itself is there. */
  readonly entry: boolean;
  /** What the pid file says, dead or alive. */
  readonly pid: PidRecord | undefined;
  readonly alive: boolean;
  /** Deadline of the suspension, epoch seconds. */
  readonly expiresAt: number | undefined;
}

/** The deadline in a `.suspend` file. */
export function readDeadline(path: string): number | undefined {
  const text = readSmall(path, 64)?.toString('latin1').trim();
  const seconds = text === undefined || text === '' ? NaN : Number(text);
  return Number.isFinite(seconds) ? seconds : undefined;
}

/** True when a suspended peer has missed its deadline. */
export function hasExpired(expiresAt: number | undefined): boolean {
  return expiresAt !== undefined && expiresAt * 1000 <= Date.now();
}

/** What stands under an entry's name. */
export function standing(route: string, kind: EntryKind, entry: string): Standing {
  const path = `${route}/${entry}`;
  const state = look(path);
  const pid = readPid(`${path}.pid`);
  return {
    entry: state !== undefined && kind.isEntry(asDirent(state)),
    pid,
    alive: pid !== undefined && isAlive(pid.identity),
    expiresAt: pid === undefined ? readDeadline(`${path}.suspend`) : undefined,
  };
}

function asDirent(
  state: NonNullable<ReturnType<typeof look>>,
): Pick<Dirent, 'isDirectory' | 'isFIFO' | 'isSocket' | 'isFile'> {
  return state;
}

/** The peer of a standing; undefined where nobody is. */
export function peerOf(name: string, found: Standing): PeerEntry | undefined {
  const { entry, pid, alive, expiresAt } = found;
  if (!entry) {
    return pid !== undefined && alive
      ? { name, state: 'leaving', identity: pid.identity, expiresAt: undefined }
      : undefined;
  }
  if (pid !== undefined) {
    const state = alive ? 'active' : 'dead';
    const service = pid.service === true ? { service: true } : {};
    const since = pid.since === undefined ? {} : { since: pid.since };
    return { name, state, identity: pid.identity, expiresAt: undefined, ...service, ...since };
  }
  return { name, state: hasExpired(expiresAt) ? 'dead' : 'suspended', identity: undefined, expiresAt };
}

/** A route's files, read once. */
export interface Listing {
  readonly files: ReadonlySet<string>;
  /** Entries of clients: plain or hashed file names. */
  readonly entries: readonly string[];
}

/** Reads a route. Throws `IPCM_STORE_MISSING` when it is gone. */
export function readRoute(place: Place, kind: EntryKind): Listing {
  try {
    const all = readdirSync(place.route, { withFileTypes: true });
    const entries = all.filter((entry) => isEntryName(entry.name) && kind.isEntry(entry));
    return { files: new Set(all.map((entry) => entry.name)), entries: entries.map((entry) => entry.name) };
  } catch (error) {
    throw storeError(error, 'list the peers', place);
  }
}

/** All peers, dead ones too. A route with a thousand costs one directory read and a thousand small files. */
export function listPeers(place: Place, kind: EntryKind): PeerEntry[] {
  const { files, entries } = readRoute(place, kind);
  const alive: (identity: ProcessIdentity) => boolean = livenessCache();
  const peers: PeerEntry[] = [];
  const present = new Set(entries);
  const held = [...files].filter((file) => file.endsWith('.pid')).map((file) => file.slice(0, -'.pid'.length));
  for (const entry of new Set([...entries, ...held.filter(isEntryName)])) {
    const name = nameOf(place.route, entry);
    if (name === undefined) continue;
    const path = `${place.route}/${entry}`;
    const pid = files.has(`${entry}.pid`) ? readPid(`${path}.pid`) : undefined;
    const expiresAt = pid === undefined && files.has(`${entry}.suspend`) ? readDeadline(`${path}.suspend`) : undefined;
    const peer = peerOf(name, {
      entry: present.has(entry),
      pid,
      alive: pid !== undefined && alive(pid.identity),
      expiresAt,
    });
    if (peer !== undefined) peers.push(peer);
  }
  return peers;
}
