/**
 * Reaping: removing a client that died, or missed its suspension's deadline, without ever harming a live successor.
 *
 * 1. Its pid file (or `.suspend`) is claimed: exactly one process wins, see claims.ts.
 * 2. The claim is read again. If it is not the process that was judged dead, a successor had come: it is put back.
 * 3. The sidecars go, while the entry and the claim still keep newcomers out.
 * 4. The entry is renamed out of the route: from here on the name is free, but for the claim.
 * 5. What waited in it is counted and recorded, everything is removed, the claim last.
 *
 * A reaper killed on the way leaves its claim, and whoever comes by goes on from where it was.
 * A dead client that read with acknowledgement is left alone: its messages wait for its successor.
 */
import { ownIdentity, type ProcessIdentity } from '../../liveness/identity.ts';
import { isAlive } from '../../liveness/alive.ts';
import type { Reaped } from '../../protocol/protocol.ts';
import { adopt, beside, claim, claims, isHeld, putBack, type Claim } from './claims.ts';
import type { EntryKind } from './entry-kind.ts';
import { look, moveFile, removeFile, removeTree, storeError, type Place } from './files.ts';
import { isEntryName, nameOf, sidecars } from './names.ts';
import { logReaped, removeStaging } from './owner.ts';
import { hasExpired, readDeadline, readRoute } from './peers.ts';
import { isSameProcess, livenessCache, readPid, type PidRecord } from './pid-file.ts';
import { countFrames } from './resume.ts';

/** Who reaps where. */
export interface Reaper {
  readonly place: Place;
  readonly kind: EntryKind;
  readonly self: ProcessIdentity;
}

/** Removes a client whose process was judged dead; undefined where somebody else did, or it was not what we saw. */
export function reapDead(reaper: Reaper, entry: string, judged: PidRecord): Reaped | undefined {
  const { route } = reaper.place;
  const file = `${route}/${entry}.pid`;
  const held = claim(route, file, entry, 'reap', reaper.self);
  if (held === undefined) return undefined;
  if (!isSameProcess(readPid(held.path)?.identity, judged.identity)) {
    putBack(held, file);
    return undefined;
  }
  return finish(reaper, held);
}

/** Removes a suspended client whose deadline has passed; undefined where it came back just now, or somebody else was faster. */
export function reapExpired(reaper: Reaper, entry: string): Reaped | undefined {
  const { route } = reaper.place;
  const file = `${route}/${entry}.suspend`;
  if (readPid(`${route}/${entry}.pid`) !== undefined) return undefined;
  const held = claim(route, file, entry, 'reap', reaper.self);
  if (held === undefined) return undefined;
  if (!hasExpired(readDeadline(held.path)) || readPid(`${route}/${entry}.pid`) !== undefined) {
    putBack(held, file);
    return undefined;
  }
  return finish(reaper, held);
}

/** Steps 3 to 5, also for what a killed reaper left. */
function finish(reaper: Reaper, held: Claim): Reaped | undefined {
  const { place, kind } = reaper;
  const { entry } = held;
  const path = `${place.route}/${entry}`;
  const gone = beside(place.route, held, 'gone');
  const sealed = beside(place.route, held, 'sealed');
  const dead = readPid(held.path);
  let resumed = 0;
  try {
    const name = nameOf(place.route, entry) ?? entry;
    // A pid file can be here only if somebody who knows no claims (the reference) took the name: then it is theirs.
    if (look(`${path}.pid`) === undefined) {
      resumed = countFrames(`${path}.resume`);
      for (const suffix of sidecars) if (suffix !== '.pid') removeFile(path + suffix);
      moveFile(path, gone);
      moveFile(`${place.route}/_${entry}`, sealed);
    }
    const lost = kind.waiting(gone) + kind.waiting(sealed) + resumed;
    const reaped: Reaped = { name, pid: dead?.identity.pid, lost };
    try {
      logReaped(place.route, reaped);
    } catch {
      // No room, or no descriptor: it is reaped all the same, and the sanity check will not say of it that it died.
    }
    return reaped;
  } finally {
    removeTree(gone);
    removeTree(sealed);
    if (dead !== undefined) removeStaging(place.route, dead.identity);
    removeFile(held.path);
  }
}

/** Finishes or undoes what killed processes had claimed, of one entry if named. */
export function settleClaims(reaper: Reaper, entry?: string): Reaped[] {
  const { route } = reaper.place;
  const reaped: Reaped[] = [];
  for (const left of claims(route, entry)) {
    if (isHeld(left)) continue;
    const ours = adopt(route, left, reaper.self);
    if (ours === undefined) continue;
    if (ours.purpose === 'reap') {
      const one = finish(reaper, ours);
      if (one !== undefined) reaped.push(one);
    } else if (ours.purpose === 'take') {
      putBack(ours, `${route}/${ours.entry}.pid`);
    } else {
      removeTree(ours.path);
    }
  }
  return reaped;
}

/** Removes every client that is dead or past its deadline. */
export function reapAll(reaper: Reaper): Reaped[] {
  const { place, kind } = reaper;
  try {
    const reaped = settleClaims(reaper);
    const alive = livenessCache();
    const { files } = readRoute(place, kind);
    for (const file of files) {
      const [, entry, suffix] = /^(.+)\.(pid|suspend)$/s.exec(file) ?? [];
      if (entry === undefined || !isEntryName(entry)) continue;
      let one: Reaped | undefined;
      if (suffix === 'pid') {
        const pid = readPid(`${place.route}/${file}`);
        if (pid !== undefined && !pid.acknowledge && !alive(pid.identity)) one = reapDead(reaper, entry, pid);
      } else if (!files.has(`${entry}.pid`) && hasExpired(readDeadline(`${place.route}/${file}`))) {
        one = reapExpired(reaper, entry);
      }
      if (one !== undefined) reaped.push(one);
    }
    return reaped;
  } catch (error) {
    throw storeError(error, 'reap dead clients', place);
  }
}

/** Removes one client if it is dead or past its deadline, and nobody waits for its messages. */
export function reapOne(reaper: Reaper, entry: string): Reaped | undefined {
  const pid = readPid(`${reaper.place.route}/${entry}.pid`);
  if (pid === undefined) {
    return hasExpired(readDeadline(`${reaper.place.route}/${entry}.suspend`)) ? reapExpired(reaper, entry) : undefined;
  }
  return pid.acknowledge || isAlive(pid.identity) ? undefined : reapDead(reaper, entry, pid);
}

/**
 * True where the kernel knows better than the pid file whether a client is there: one without a second line does not tell its
 * process from a later one of that number, and one of this very process may be a thread's that was terminated.
 */
export function mayBeUnread({ identity }: PidRecord): boolean {
  return identity.start === undefined || isSameProcess(identity, ownIdentity());
}

/** What has died when a client of that identity has. */
export function holderOf(identity: ProcessIdentity): string {
  const isOurs = isSameProcess(identity, ownIdentity());
  return isOurs ? 'the thread of this process that held the name' : `its process ${identity.pid}`;
}

/** Removes a client whose entry nobody reads, of such a pid file. Undefined for others, or where somebody else was faster. */
export function reapUnread(reaper: Reaper, entry: string): Reaped | undefined {
  const pid = readPid(`${reaper.place.route}/${entry}.pid`);
  return pid === undefined || !mayBeUnread(pid) ? undefined : reapDead(reaper, entry, pid);
}
