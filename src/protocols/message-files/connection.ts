/** One client on a store of message files. */
import { IpcError, isIpcError } from '../../errors.ts';
import type {
  ConnectionReport,
  ConnectRequest,
  Connection,
  Delivery,
  Incoming,
  Outgoing,
  ReceiveLimit,
} from '../../protocol/protocol.ts';
import type { Stats } from '../../protocol/stats.ts';
import { list, look, moveFile, removeEmpty, removeFile, storeError, writeNew } from '../directory/files.ts';
import type { EntryKind } from '../directory/entry-kind.ts';
import type { Member } from '../directory/member.ts';
import { entryFor } from '../directory/names.ts';
import { quarantineBytes, quarantineFile } from '../directory/quarantine.ts';
import { reapOne } from '../directory/reap.ts';
import { readFrames } from '../directory/resume.ts';
import { stampOf } from '../directory/unread.ts';
import { Inbox } from './inbox.ts';
import { pend, requeuedName } from './names.ts';
import { Outbox } from './outbox.ts';
import { readMessageFile } from './read-file.ts';
import { InboxWatch } from './watch-inbox.ts';

/** A file being written is believed to become whole for this long, in milliseconds: its writer may have been killed. */
const unfinished = 30_000;

/** A connection whose inbox is a directory. */
export class FilesConnection implements Connection {
  readonly #member: Member;
  readonly #kind: EntryKind;
  readonly #report: ConnectionReport;
  readonly #acknowledge: boolean;
  readonly #outbox: Outbox;
  readonly #inbox: Inbox;
  readonly #watch: InboxWatch;
  /** Read with acknowledgement and not acknowledged yet. */
  readonly #inFlight = new Set<string>();
  /** Neither readable nor removable: left where they are. */
  readonly #stuck = new Set<string>();
  /** The sealed inbox was empty and is gone. */
  #isRemoved = false;

  constructor(member: Member, kind: EntryKind, request: ConnectRequest) {
    this.#member = member;
    this.#kind = kind;
    this.#report = request.report;
    this.#acknowledge = request.acknowledge;
    this.#outbox = new Outbox(member, kind.nameLimit(member.place.route), (peer) => this.#reap(peer));
    this.#inbox = new Inbox(() => member.inbox, {
      skip: (name) => this.#inFlight.has(name) || this.#stuck.has(name),
      stamp: (name) => {
        const bytes = this.#read(name);
        return bytes === undefined ? undefined : stampOf(bytes, member.options);
      },
    });
    this.#watch = new InboxWatch(member.path, () => this.ready());
  }

  deliver(peer: string, batch: readonly Outgoing[]): Delivery {
    return this.#outbox.deliver(peer, batch);
  }

  receive(limit: ReceiveLimit): Incoming[] {
    const found = this.#collect(limit);
    if (found.length > 0 || !this.#member.sealed) return found;
    // Who had begun to send before the inbox was sealed may end only now. Once it is removed, that is refused.
    this.#isRemoved ||= this.#attempt('stop receiving', () => removeEmpty(this.#member.inbox));
    return this.#collect(limit);
  }

  #collect(limit: ReceiveLimit): Incoming[] {
    const found: Incoming[] = [];
    let size = 0;
    while (found.length < limit.messages) {
      const name = this.#next(found.length === 0);
      if (name === undefined) break;
      const bytes = this.#read(name);
      if (bytes === undefined) continue;
      size += bytes.length;
      if (size > limit.bytes && found.length > 0) {
        this.#inbox.back();
        break;
      }
      if (this.#acknowledge) {
        this.#inFlight.add(name);
        found.push({ bytes, receipt: name });
      } else if (this.#take(name)) {
        found.push({ bytes });
      }
    }
    return found;
  }

  ready(): boolean {
    if (this.#next(true) === undefined) return false;
    this.#inbox.back();
    return true;
  }

  pending(): boolean {
    const { inbox } = this.#member;
    return this.#attempt('look for messages', () => {
      for (const file of list(inbox)) {
        if (!file.endsWith(pend)) continue;
        const state = look(`${inbox}/${file}`);
        if (state !== undefined && Date.now() - Number(state.mtimeMs) < unfinished) return true;
      }
      return false;
    });
  }

  watchInbox(wake: () => void): () => void {
    return this.#watch.add(wake);
  }

  acknowledge(receipts: readonly unknown[]): void {
    for (const receipt of receipts) {
      if (typeof receipt !== 'string' || !this.#inFlight.has(receipt)) continue;
      this.#watch.consumed(receipt);
      this.#attempt('acknowledge a message', () => removeFile(`${this.#member.inbox}/${receipt}`));
      this.#inFlight.delete(receipt);
    }
  }

  release(receipts: readonly unknown[]): void {
    for (const receipt of receipts) if (typeof receipt === 'string') this.#inFlight.delete(receipt);
    this.#inbox.rescan();
    this.#watch.wake();
  }

  /** As files whose names come before all others: they can be acknowledged, and need no second place to be read from. */
  requeue(messages: readonly Outgoing[]): void {
    this.#allOrNone((putBack) => {
      for (const { bytes } of messages) putBack(bytes);
    });
    this.#inbox.rescan();
    this.#watch.wake();
  }

  /** Keeps bytes that turned out to be no message out of the way; `.ipcm/rejected` has them. */
  reject(incoming: Incoming): void {
    this.#attempt('set a message aside', () => {
      const { receipt } = incoming;
      if (typeof receipt === 'string' && this.#inFlight.delete(receipt)) {
        quarantineFile(this.#member.place.route, `${this.#member.inbox}/${receipt}`);
      } else if ('bytes' in incoming) {
        quarantineBytes(this.#member.place.route, incoming.bytes);
      }
    });
  }

  writeStats(stats: Stats): void {
    this.#member.writeStats(stats);
  }

  readStats(): Stats | undefined {
    return this.#member.readStats();
  }

  seal(): void {
    this.#member.seal();
  }

  disconnect(): void {
    this.#watch.close();
    this.#member.leave();
  }

  suspend(expiresAt: number | undefined): void {
    this.#watch.close();
    this.#member.suspend(expiresAt);
  }

  closeSync(stats?: Stats): void {
    this.#watch.close();
    this.#member.leaveSync(stats);
  }

  /**
   * Turns the requeued messages of an earlier life into files of the inbox. Without acknowledgement the file is taken away
   * first (a kill in between loses them, and none comes twice), with it last (some may come twice, and none is lost).
   */
  resume(): void {
    const { place, options } = this.#member;
    const path = this.#member.sidecar('.resume');
    this.#attempt('read requeued messages', () => {
      if (look(path) === undefined) return;
      const from = this.#acknowledge ? path : this.#member.staging();
      if (from !== path && !moveFile(path, from)) return;
      try {
        this.#allOrNone((putBack) => {
          readFrames(from, options.limits, place, {
            frame: putBack,
            rejected: (error) => this.#report.rejected(error),
          });
        });
      } catch (error) {
        if (from !== path) moveFile(from, path);
        throw error;
      }
      removeFile(from);
    });
  }

  /** Where one message cannot be put back, those before it are taken away again: whoever has them tries anew, and none comes twice. */
  #allOrNone(work: (putBack: (bytes: Uint8Array) => void) => void): void {
    const done: string[] = [];
    try {
      work((bytes) => void done.push(this.#putBack(bytes)));
    } catch (error) {
      for (const path of done) removeFile(path);
      throw error;
    }
  }

  /** Returns the path of its file. */
  #putBack(bytes: Uint8Array): string {
    const staged = this.#member.staging();
    return this.#attempt('put a message back', () => {
      writeNew(staged, bytes);
      const path = `${this.#member.inbox}/${requeuedName()}`;
      if (moveFile(staged, path)) return path;
      removeFile(staged);
      throw new IpcError(
        'IPCM_STORE_MISSING',
        `cannot put a message back: the inbox of ${this.#member.name} is gone`,
        this.#member.place,
      );
    });
  }

  #next(scan: boolean): string | undefined {
    if (this.#isRemoved) return undefined;
    try {
      return this.#inbox.next(scan);
    } catch (error) {
      const failed = storeError(error, 'receive', this.#member.place);
      const isGone = (): boolean => this.#attempt('receive', () => look(this.#member.inbox)) === undefined;
      if (isIpcError(failed, 'IPCM_STORE_FAILED') && isGone()) {
        const text = `cannot receive: the inbox of ${this.#member.name} in ${this.#member.place.route} has been removed by somebody`;
        throw new IpcError('IPCM_STORE_MISSING', text, {
          cause: error,
          client: this.#member.name,
          ...this.#member.place,
        });
      }
      throw failed;
    }
  }

  /** The bytes of a file; undefined where it is gone, or was none and is in quarantine now. */
  #read(name: string): Buffer | undefined {
    const { place, options, inbox } = this.#member;
    try {
      return readMessageFile(`${inbox}/${name}`, options.limits, place);
    } catch (error) {
      if (!isIpcError(error)) throw storeError(error, 'read a message', place);
      this.#watch.consumed(name);
      try {
        quarantineFile(place.route, `${inbox}/${name}`);
      } catch {
        // It cannot be moved either: reported once, and not looked at again.
        this.#stuck.add(name);
      }
      this.#report.rejected(error);
      return undefined;
    }
  }

  /** Removes a file that was read; false where another reader has. */
  #take(name: string): boolean {
    this.#watch.consumed(name);
    return this.#attempt('remove a message', () => removeFile(`${this.#member.inbox}/${name}`));
  }

  #reap(peer: string): void {
    const { place, identity } = this.#member;
    const reaper = { place, kind: this.#kind, self: identity };
    const reaped = reapOne(reaper, entryFor(peer, this.#kind.nameLimit(place.route)));
    if (reaped !== undefined) this.#report.reaped(reaped);
  }

  #attempt<T>(doing: string, action: () => T): T {
    return this.#member.attempt(doing, action);
  }
}
