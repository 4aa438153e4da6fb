/** One message: immutable, with a wire form that the reference implementation reads and writes as well. */
import { IpcError, quote } from '../errors.ts';
import { uuidAt } from './id.ts';
import { nextMicros } from './stamp.ts';

/** The fields of a message that a caller may set; what is left out is filled in. */
export interface MessageFields {
  /** Unique id; a UUID version 7 unless given. */
  readonly id?: string | undefined;
  /** Name of the sending client. */
  readonly from?: string | undefined;
  /** Name of the receiving client. */
  readonly to?: string | undefined;
  /** Epoch seconds; now unless given, strictly rising within the process. */
  readonly stamp?: number | undefined;
  /** Rises while consecutive messages of a process share a stamp; ours never do, so it is 0. */
  readonly stampOrd?: number | undefined;
  /** True on each copy of a broadcast. */
  readonly broadcast?: boolean | undefined;
  /** Any JSON value but null. */
  readonly content?: unknown;
}

/** The wire form: the object that a serializer turns into bytes. Fields we do not know are kept. */
export interface WireMessage {
  id: string;
  from: string;
  to: string;
  stamp: number;
  stamp_ord: number;
  content: unknown;
  broadcast?: 1;
  [unknown: string]: unknown;
}

const known = new Set(['id', 'from', 'to', 'stamp', 'stamp_ord', 'content', 'broadcast']);

function isTerminateContent(content: unknown): boolean {
  return typeof content === 'object' && content !== null && 'terminate' in content && Boolean(content.terminate);
}

/** A message, made by `sendMessage` or by hand; its fields never change. */
export class Message<Content = unknown> {
  /** UUID as text. */
  readonly id: string;
  /** Name of the sender. */
  readonly from: string;
  /** Name of the receiver. */
  readonly to: string;
  /** Epoch seconds with microseconds; strictly rising over the messages of one process. */
  readonly stamp: number;
  /** Orders messages that share a stamp, as the reference implementation's may. */
  readonly stampOrd: number;
  /** True when this is one copy of a broadcast. */
  readonly broadcast: boolean;
  /** What was sent. */
  readonly content: Content;
  /** Fields of the wire form that this version does not know, kept for whoever does. */
  readonly extra: Readonly<Record<string, unknown>> | undefined;

  constructor(fields: MessageFields & { readonly content: Content }, extra?: Readonly<Record<string, unknown>>) {
    const micros = fields.stamp === undefined || fields.id === undefined ? nextMicros() : 0;
    this.id = fields.id ?? uuidAt(micros);
    this.from = fields.from ?? '';
    this.to = fields.to ?? '';
    this.stamp = fields.stamp ?? micros / 1e6;
    this.stampOrd = fields.stampOrd ?? 0;
    this.broadcast = fields.broadcast ?? false;
    this.content = fields.content;
    this.extra = extra;
  }

  /** True when the content asks a client to end: `{"terminate":1}`. */
  get isTerminate(): boolean {
    return isTerminateContent(this.content);
  }

  /** A copy with other values in the fields named; everything else, id and stamp included, stays. */
  clone<C = Content>(fields: Omit<MessageFields, 'content'> & { readonly content?: C } = {}): Message<C> {
    const own = {
      id: this.id,
      from: this.from,
      to: this.to,
      stamp: this.stamp,
      stampOrd: this.stampOrd,
      broadcast: this.broadcast,
    };
    const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
    return new Message<C>({ content: this.content as unknown as C, ...own, ...given }, this.extra);
  }

  /** The wire form, as `JSON.stringify` and the serializers take it. */
  toJSON(): WireMessage {
    const wire: WireMessage = {
      id: this.id,
      from: this.from,
      to: this.to,
      stamp: this.stamp,
      stamp_ord: this.stampOrd,
      content: this.content,
    };
    if (this.broadcast) wire.broadcast = 1;
    return this.extra === undefined ? wire : { ...this.extra, ...wire };
  }

  /**
   * The message of a wire form that somebody else wrote. Throws `IPCM_MALFORMED_MESSAGE` when a field is missing or of
   * the wrong type; unknown fields are kept.
   */
  static fromWire(wire: unknown): Message {
    if (typeof wire !== 'object' || wire === null || Array.isArray(wire)) malformed('is no JSON object', wire);
    const { id, from, to, stamp, stamp_ord: ord, content, broadcast } = wire as Record<string, unknown>;
    if (typeof id !== 'string' || id === '') malformed('has no id', id);
    if (typeof from !== 'string' || from === '') malformed('has no sender', from);
    if (typeof to !== 'string' || to === '') malformed('has no receiver', to);
    const seconds = typeof stamp === 'string' ? Number(stamp) : stamp;
    if (typeof seconds !== 'number' || !Number.isFinite(seconds)) malformed('has no stamp', stamp);
    if (content === undefined || content === null) malformed('has no content', content);
    let extra: Record<string, unknown> | undefined;
    for (const key of Object.keys(wire)) {
      if (known.has(key)) continue;
      extra ??= Object.create(null) as Record<string, unknown>;
      extra[key] = (wire as Record<string, unknown>)[key];
    }
    const stampOrd = Number(ord ?? 0) || 0;
    return new Message(
      { id, from, to, stamp: seconds, stampOrd, content, broadcast: Boolean(Number(broadcast ?? 0)) },
      extra,
    );
  }
}

function malformed(what: string, value: unknown): never {
  throw new IpcError('IPCM_MALFORMED_MESSAGE', `message ${what}: ${quote(value)}`);
}

/** Orders messages as every reader of a batch does: by stamp, then by the order within the stamp. */
export function byStamp(a: Message, b: Message): number {
  return a.stamp - b.stamp || a.stampOrd - b.stampOrd;
}
