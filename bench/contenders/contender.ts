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

/** Made beforehand, as making one costs a good part of sending it; a message whose number is off by as many is lost anyway. */
const contents: readonly Content[] = Array.from({ length: 1024 }, (_, number) => ({
  data: String(number).padStart(8, '0') + 'x'.repeat(92),
}));

/** What the message of that number carries. */
export function contentOf(number: number): Content {
  const content = contents[number % contents.length];
  if (content === undefined) throw new RangeError(`there is no message ${number}`);
  return content;
}

/** Throws unless this is what the message of that number carries: so each is checked, and the order of all. */
export function check(content: Content, number: number): void {
  if (content.data === contentOf(number).data) return;
  throw new Error(`message ${content.data.slice(0, 8)} came where ${number} was due (of 1024 in turn)`);
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
