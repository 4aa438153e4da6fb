/**
 * How a sender wakes a reader on the same host: each client has a file in a folder, and a sender writes a byte into it after its
 * commit. Watching a database's own file wakes everybody for everything, and loses wake-ups: the event comes before the
 * commit can be seen.
 *
 * Waking a process costs some 20 µs, more than the message. So one that was rung just now, and is reading or about to, is
 * rung again only at the end of the event loop's turn; a sender that lets no turn end rings every half millisecond.
 *
 * A hint that is lost, or never given (the reference knows no bells), costs the time until the reader's next look by itself.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { IpcError } from '../../errors.ts';
import { isDirectory, isMissing, look, makeDirectory, removeFile, storeError, type Place } from '../directory/files.ts';
import { hashedEntry } from '../directory/names.ts';
import { watchDirectory } from '../directory/watch.ts';

/** Bells of so many peers are kept open. */
const mostOpen = 64;

const { O_CREAT, O_NOFOLLOW = 0, O_WRONLY } = constants;
const byte = new Uint8Array(1);

/** File that is the bell of whoever wants to know who is there. */
export const peersBell = '.peers';

/** Names that a bell can have: hashing any other makes Node load all of its cryptography. */
const plain = /^(?!h-)[A-Za-z0-9][\w.-]{0,199}$/;

/** Milliseconds in which one bell is rung once by a process. */
const ringing = 0.5;

interface OpenBell {
  readonly life: string;
  readonly descriptor: number | undefined;
  rungAt: number;
}

/** The bells of a store. */
export class Doorbells {
  readonly #folder: string;
  readonly #place: Place;
  readonly #open = new Map<string, OpenBell>();
  readonly #ends = new Set<() => void>();
  /** To be rung at the end of this turn. */
  readonly #owed = new Set<OpenBell>();
  #turn: NodeJS.Immediate | undefined;

  constructor(folder: string, place: Place) {
    this.#folder = folder;
    this.#place = place;
  }

  /** A client has come: it can be rung from now on. Throws `IPCM_ROUTE_UNSAFE`, `IPCM_STORE_FULL`. */
  enter(name: string): void {
    try {
      this.#make(this.#bell(name));
    } catch (error) {
      throw storeError(error, 'make the doorbell', this.#place);
    }
  }

  /** A client goes, or went. */
  leave(name: string): void {
    removeFile(this.#bell(name));
  }

  /** Rings a client. `life` changes each time that it connects. */
  ring(peer: string, life: string): void {
    const bell = this.#openBell(peer, life);
    if (bell.descriptor === undefined) return;
    const now = performance.now();
    if (now - bell.rungAt >= ringing) {
      bell.rungAt = now;
      strike(bell.descriptor);
    } else {
      this.#owed.add(bell);
      // Not unref'd: a process that has nothing else to do still owes this.
      this.#turn ??= setImmediate(() => this.flush());
    }
  }

  /** Rings all who want to know who is there. */
  ringPeers(): void {
    const descriptor = tryOpen(this.#peersBell);
    if (descriptor === undefined) return;
    strike(descriptor);
    closeSync(descriptor);
  }

  /** Calls `wake` when a client is rung. Undefined where the system has no way to tell. */
  listen(name: string, wake: () => void): (() => void) | undefined {
    return this.#ending(watchDirectory(this.#bell(name), wake));
  }

  /** Calls `wake` when all are rung. Undefined where that cannot be heard. */
  watchPeers(wake: () => void): (() => void) | undefined {
    try {
      this.#make(this.#peersBell);
    } catch {
      // Removed, or not ours to change: looking by itself finds out.
      return undefined;
    }
    return this.#ending(watchDirectory(this.#peersBell, wake));
  }

  /** Rings those who are still to be rung at the end of this turn. */
  flush(): void {
    clearImmediate(this.#turn);
    this.#turn = undefined;
    for (const { descriptor } of this.#owed) if (descriptor !== undefined) strike(descriptor);
    this.#owed.clear();
  }

  /** Stops listening, and lets go of what is open. */
  close(): void {
    for (const end of this.#ends) end();
    this.#ends.clear();
    this.flush();
    for (const peer of this.#open.keys()) this.#close(peer);
  }

  #openBell(peer: string, life: string): OpenBell {
    const known = this.#open.get(peer);
    if (known?.life === life && known.descriptor !== undefined) return known;
    this.#close(peer);
    if (this.#open.size >= mostOpen) this.#close([...this.#open.keys()][0] ?? '');
    const bell = { life, descriptor: tryOpen(this.#bell(peer)), rungAt: -Infinity };
    this.#open.set(peer, bell);
    return bell;
  }

  get #peersBell(): string {
    return `${this.#folder}/${peersBell}`;
  }

  /** A client may be called anything, and longer than a file can be. */
  #bell(name: string): string {
    return `${this.#folder}/${plain.test(name) ? name : hashedEntry(name)}`;
  }

  #make(bell: string): void {
    for (let tries = 0; ; tries++) {
      this.#makeFolder();
      try {
        make(bell);
        return;
      } catch (error) {
        // Somebody who took the folder for unused has removed it.
        if (!isMissing(error) || tries === 10) throw error;
      }
    }
  }

  #makeFolder(): void {
    if (makeDirectory(this.#folder)) return;
    const uid = process.getuid?.();
    const safe = isDirectory(this.#folder) && (uid === undefined || look(this.#folder)?.uid === BigInt(uid));
    if (safe) return;
    const text = `${this.#folder} is no directory of ours; remove it, or use another route`;
    throw new IpcError('IPCM_ROUTE_UNSAFE', text, { ...this.#place });
  }

  #ending(end: (() => void) | undefined): (() => void) | undefined {
    if (end === undefined) return undefined;
    this.#ends.add(end);
    return () => {
      this.#ends.delete(end);
      end();
    };
  }

  #close(peer: string): void {
    const bell = this.#open.get(peer);
    this.#open.delete(peer);
    if (bell?.descriptor === undefined) return;
    if (this.#owed.delete(bell)) strike(bell.descriptor);
    closeSync(bell.descriptor);
  }
}

/** Makes a bell that has its byte already, so that ringing needs no space on a full disk. */
function make(path: string): void {
  const descriptor = openSync(path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0o600);
  try {
    writeSync(descriptor, byte, 0, 1, 0);
  } finally {
    closeSync(descriptor);
  }
}

function tryOpen(path: string): number | undefined {
  try {
    return openSync(path, O_WRONLY | O_NOFOLLOW);
  } catch {
    // A client of the reference, or one that leaves: it finds its messages by itself.
    return undefined;
  }
}

function strike(descriptor: number): void {
  try {
    writeSync(descriptor, byte, 0, 1, 0);
  } catch {
    // Only a hint.
  }
}
