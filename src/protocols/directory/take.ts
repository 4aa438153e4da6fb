/**
 * Taking a name: a free one, a suspended one, a dead one's.
 *
 * The pid file is the reservation: it is written aside and linked into place, which fails if one is there, so that of any
 * number of processes one wins. The entry is made after it. A process killed in between leaves a pid file of a dead process, which
 * is reaped like any other; had the entry come first, it would look like a suspended client, for ever.
 *
 * Claims (claims.ts) are looked at before a pid file is linked and once more after, so that a newcomer and a reaper, or a newcomer and
 * one who continues a dead client, cannot both go on.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { IpcError, quote, systemCode } from '../../errors.ts';
import { monotonic } from '../../liveness/monotonic.ts';
import type { ConnectRequest, Reaped } from '../../protocol/protocol.ts';
import { claim, claims, isHeld, linkPatiently, putBack } from './claims.ts';
import type { Arrival } from './entry-kind.ts';
import { look, moveFile, placeFile, removeFile, removeTree, replaceFile, storeError, writeNew } from './files.ts';
import { entryFor, isHashed } from './names.ts';
import { makeInner, removeStaging, stagingPath } from './owner.ts';
import { hasExpired, standing } from './peers.ts';
import { formatPid, isSameProcess, readPid, removeOwnPid, type PidRecord } from './pid-file.ts';
import { reapDead, reapExpired, reapUnread, settleClaims, type Reaper } from './reap.ts';

/** A name that is held now. */
export interface Taken<Handle> {
  readonly entry: string;
  readonly handle: Handle;
  readonly arrival: Arrival;
}

/** How long a newcomer waits for others who are busy with the same name, in milliseconds. */
const patience = 2000;

/** For how long an entry of this process that nobody reads may be one that is being made, in milliseconds. */
const making = 200;

/** Takes a name for a client. */
export async function take<Handle>(
  reaper: Reaper,
  request: ConnectRequest,
  enter: (path: string, arrival: Arrival) => Handle | Promise<Handle>,
): Promise<Taken<Handle>> {
  const entry = entryFor(request.name, reaper.kind.nameLimit(reaper.place.route));
  makeInner(reaper.place);
  try {
    const attempt = new Attempt<Handle>(reaper, request, entry, enter);
    for (const end = Date.now() + patience; ; await sleep(2)) {
      const taken = await attempt.once();
      if (taken !== undefined) return { entry, ...taken };
      if (Date.now() > end) throw attempt.busy();
    }
  } catch (error) {
    throw storeError(error, `take the name ${quote(request.name)}`, reaper.place);
  }
}

/** One client trying for one name; `once` returns undefined where things have changed meanwhile, or are changing. */
class Attempt<Handle> {
  readonly #reaper: Reaper;
  readonly #request: ConnectRequest;
  readonly #entry: string;
  readonly #path: string;
  readonly #enter: (path: string, arrival: Arrival) => Handle | Promise<Handle>;
  #unreadSince: number | undefined;

  constructor(
    reaper: Reaper,
    request: ConnectRequest,
    entry: string,
    enter: (path: string, arrival: Arrival) => Handle | Promise<Handle>,
  ) {
    this.#reaper = reaper;
    this.#request = request;
    this.#entry = entry;
    this.#path = `${reaper.place.route}/${entry}`;
    this.#enter = enter;
  }

  async once(): Promise<{ handle: Handle; arrival: Arrival } | undefined> {
    for (const one of settleClaims(this.#reaper, this.#entry)) this.#report(one);
    if (this.#claimed()) return undefined;
    const { kind, place } = this.#reaper;
    const found = standing(place.route, kind, this.#entry);
    if (found.pid !== undefined)
      return found.alive ? this.#afterLive(found.pid, found.entry) : this.#afterDead(found.pid, found.entry);
    if (found.entry)
      return hasExpired(found.expiresAt) ? this.#afterExpired(found.expiresAt) : this.#suspended(found.expiresAt);
    if (this.#request.mode === 'reconnect')
      throw this.#nobody('nobody of that name is suspended or died here; connect instead');
    return this.#link(monotonic()) ? this.#newEntry() : undefined;
  }

  /** The error after all patience. */
  busy(): IpcError {
    const holder = claims(this.#reaper.place.route, this.#entry).find(isHeld)?.claimer.pid;
    if (holder !== undefined) {
      return this.#taken(
        `process ${holder} is cleaning up after its last client; try again, or use another name`,
        holder,
      );
    }
    return this.#taken(`${this.#obstacle() ?? 'others keep taking it; try again'}, or use another name`);
  }

  /** What is in the way, where that is nobody's of this bus, and what to do. */
  #obstacle(): string | undefined {
    const { kind, place } = this.#reaper;
    const entry = look(this.#path);
    if (entry !== undefined && !kind.isEntry(entry)) {
      return `${this.#path} is in the way, which is not what a client of ${place.protocol} makes; remove it`;
    }
    const file = `${this.#path}.pid`;
    const isUnreadable = look(file) !== undefined && readPid(file) === undefined;
    return isUnreadable ? `${file} cannot be read as the pid of a process; remove it` : undefined;
  }

  #report(reaped: Reaped | undefined): void {
    if (reaped !== undefined) this.#request.report.reaped(reaped);
  }

  #taken(why: string, pid?: number): IpcError {
    const { name } = this.#request;
    const facts = { client: name, ...(pid === undefined ? {} : { pid }), ...this.#reaper.place };
    return new IpcError('IPCM_NAME_TAKEN', `cannot ${this.#request.mode} as ${quote(name)}: ${why}`, facts);
  }

  #nobody(why: string): IpcError {
    const { name } = this.#request;
    return new IpcError('IPCM_NO_SUCH_CLIENT', `cannot reconnect as ${quote(name)}: ${why}`, {
      client: name,
      ...this.#reaper.place,
    });
  }

  #claimed(): boolean {
    return claims(this.#reaper.place.route, this.#entry).length > 0;
  }

  /** A thread of this process may have been terminated; anybody else keeps the name. */
  async #afterLive(pid: PidRecord, entry: boolean): Promise<undefined> {
    const { kind, self } = this.#reaper;
    if (entry && isSameProcess(pid.identity, self) && (await kind.isUnread?.(this.#path)) === true) {
      this.#unreadSince ??= performance.now();
      if (performance.now() - this.#unreadSince > making) this.#report(reapUnread(this.#reaper, this.#entry));
      return;
    }
    throw this.#taken(
      `process ${pid.identity.pid} holds the name and lives; disconnect it, or use another name`,
      pid.identity.pid,
    );
  }

  /** Writes the pid file if there is none; false where somebody else was faster, or is busy with the name. */
  #link(since: number | undefined): boolean {
    const { place, self } = this.#reaper;
    const record = formatPid({ ...this.#request, identity: self, since, packs: this.#reaper.kind.packs });
    if (!placeFile(`${this.#path}.pid`, record, stagingPath(place.route, self))) return false;
    if (!this.#claimed()) return true;
    this.#unlink();
    return false;
  }

  #unlink(): void {
    removeOwnPid(`${this.#path}.pid`, this.#reaper.self);
  }

  async #newEntry(): Promise<{ handle: Handle; arrival: Arrival } | undefined> {
    const { place, self } = this.#reaper;
    try {
      // Leftovers of one who died while leaving, or of a reference client; the statistics are for us to go on with.
      removeTree(`${place.route}/_${this.#entry}`);
      removeFile(`${this.#path}.resume`);
      removeFile(`${this.#path}.suspend`);
      if (isHashed(this.#entry)) {
        replaceFile(`${this.#path}.name`, Buffer.from(this.#request.name), stagingPath(place.route, self));
      }
      return { handle: await this.#enter(this.#path, 'new'), arrival: 'new' };
    } catch (error) {
      this.#unlink();
      // A reference client, which looks for the entry alone, came in between.
      if (systemCode(error) === 'EEXIST') return undefined;
      throw error;
    }
  }

  /** A client of that name died: continue with what it left, or remove that. */
  async #afterDead(dead: PidRecord, entry: boolean): Promise<{ handle: Handle; arrival: Arrival } | undefined> {
    const { place, self } = this.#reaper;
    const left = entry || look(`${place.route}/_${this.#entry}`) !== undefined;
    const again = this.#request.mode === 'reconnect';
    if (!left || (!again && !this.#request.acknowledge)) {
      this.#report(reapDead(this.#reaper, this.#entry, dead));
      return undefined;
    }
    const held = claim(place.route, `${this.#path}.pid`, this.#entry, 'take', self);
    if (held === undefined) return undefined;
    if (!isSameProcess(readPid(held.path)?.identity, dead.identity)) {
      putBack(held, `${this.#path}.pid`);
      return undefined;
    }
    const own = stagingPath(place.route, self);
    writeNew(own, formatPid({ ...this.#request, identity: self, packs: this.#reaper.kind.packs }));
    const linked = linkPatiently(own, `${this.#path}.pid`);
    removeFile(own);
    removeFile(held.path);
    if (!linked) return undefined;
    removeStaging(place.route, dead.identity);
    // It died between sealing and leaving: what waits there is still to be read.
    if (!entry) moveFile(`${place.route}/_${this.#entry}`, this.#path);
    removeFile(`${this.#path}.suspend`);
    return this.#oldEntry();
  }

  /** Nobody holds the name, but what was sent to it is kept. */
  async #suspended(expiresAt: number | undefined): Promise<{ handle: Handle; arrival: Arrival } | undefined> {
    if (this.#request.mode === 'connect') {
      // A reaper may have claimed its pid file or its deadline while we looked: then it only seemed suspended.
      if (this.#claimed() || look(this.#path) === undefined) return undefined;
      // Where the kernel tells who reads, an entry keeps nothing for somebody who is away: it is no suspended client's.
      if (this.#reaper.kind.isUnread !== undefined) {
        throw this.#taken(
          `${this.#path} is there and no pid file beside it says whose it is; remove it, or use another name`,
        );
      }
      const until = expiresAt === undefined ? '' : `, or wait until ${new Date(expiresAt * 1000).toISOString()}`;
      throw this.#taken(`the client of that name is suspended; reconnect as it${until}, or use another name`);
    }
    if (!this.#link(undefined)) return undefined;
    // Whoever removes the deadline has the client: we, or a reaper that found it expired just now.
    const ours = removeFile(`${this.#path}.suspend`) || expiresAt === undefined;
    if (ours && look(this.#path) !== undefined) return this.#oldEntry();
    this.#unlink();
    return undefined;
  }

  async #oldEntry(): Promise<{ handle: Handle; arrival: Arrival }> {
    try {
      return { handle: await this.#enter(this.#path, 'again'), arrival: 'again' };
    } catch (error) {
      this.#unlink();
      throw error;
    }
  }

  async #afterExpired(expiresAt: number | undefined): Promise<undefined> {
    this.#report(reapExpired(this.#reaper, this.#entry));
    if (this.#request.mode === 'connect') return undefined;
    const since = new Date((expiresAt ?? 0) * 1000).toISOString();
    throw this.#nobody(`its suspension ended at ${since} and what was sent to it is gone; connect instead`);
  }
}
