/** What every contender, a protocol of the bus or something to compare it with, can do in a benchmark. */
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';

/** What is sent: 100 bytes of data, the first eight of which tell the message's number. */
export interface Content {
  readonly data: string;
}

/** One end of a conversation between two peers. */
export interface Link {
  /** Sends; a promise means that the next send should wait for it. */
  send(content: Content): Promise<void> | undefined;
  onMessage(handler: (content: Content) => void): void;
  /** What waits, by polling instead of by handler: only where messages are stored. */
  read?(): Promise<Content[]>;
}

/** Where peers meet; lives in the sending process. */
export interface Hub {
  /** What another process needs to join. */
  readonly address: string;
  /** The link to a peer that has joined from `child`. */
  link(peer: string, child: ChildProcess | undefined): Promise<Link>;
  /** Sends to all peers; resolves when the store or the kernel has it. Throws unless there were that many. */
  broadcast?(content: Content, peers: number): Promise<void>;
  /** Asks who is there; resolves to how many. */
  peers?(): Promise<number>;
  close(): Promise<void>;
}

/** Sends a request, and resolves to the answer. */
export type Ask = (content: Content) => Promise<unknown>;

/** A way to get messages from one process to another. */
export interface Contender {
  readonly name: string;
  /** Both ends live in one process: a reference line, not a competitor. */
  readonly inProcess?: boolean;
  /** Another setting of a contender that takes part already: only in the cases where it can differ. */
  readonly variant?: boolean;
  /** Takes part in these cases alone. */
  readonly only?: readonly string[] | undefined;
  /** Bytes of data that one message carries at most. */
  readonly largest?: number | undefined;
  /** Messages wait in a store until somebody reads them. */
  readonly stores?: boolean;
  /** One process can hold many peers, and one send can go to all. */
  readonly manyPeers?: boolean;
  /** Where its files go, if it has any. */
  readonly base: string;
  /** Why it cannot take part; undefined if it can. */
  unavailable(): Promise<string | undefined>;
  /** Makes the meeting place, with any files in the directory `scratch`. */
  open(scratch: string): Promise<Hub>;
  /** Joins from another process. */
  join(address: string, peer: string): Promise<Link>;
  /** Answers requests under that name, giving back what they carry; where there are services. */
  serve?(address: string, peer: string): Promise<void>;
  /** The way to ask it. */
  ask?(address: string, peer: string): Promise<Ask>;
}

/** Bytes of data in a message, unless a case says otherwise. */
export const usualSize = 100;

/** Bytes of all contents of a size together. */
const mostMade = 4 * 1024 * 1024;

const made = new Map<number, readonly Content[]>();

/** Made beforehand, as making one costs a good part of sending it; a message whose number is off by as many is lost anyway. */
function contentsOf(size: number): readonly Content[] {
  let contents = made.get(size);
  if (contents === undefined) {
    const length = Math.max(4, Math.min(1024, Math.floor(mostMade / size)));
    contents = Array.from({ length }, (_, number) => ({
      // Through a buffer, or it would be a rope that the first to send it has to make one string of.
      data: Buffer.from(String(number).padStart(8, '0').padEnd(size, 'x')).toString('latin1'),
    }));
    made.set(size, contents);
  }
  return contents;
}

/** What the message of that number carries. */
export function contentOf(number: number, size: number = usualSize): Content {
  const contents = contentsOf(size);
  const content = contents[number % contents.length];
  if (content === undefined) throw new RangeError(`there is no message ${number}`);
  return content;
}

/** Throws unless this is what the message of that number carries: so each is checked, and the order of all. */
export function check(content: Content, number: number, size: number = usualSize): void {
  if (content.data === contentOf(number, size).data) return;
  throw new Error(`message ${content.data.slice(0, 8)} came where ${number} was due (in turn)`);
}

/** The envelope of the baselines; the bus has its own, with the same fields. */
export interface Envelope {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly stamp: number;
  readonly broadcast: null;
  readonly content: Content;
}

export function envelope(from: string, to: string, content: Content): Envelope {
  return { id: randomUUID(), from, to, stamp: Date.now() / 1000, broadcast: null, content };
}
