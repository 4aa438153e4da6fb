/** What a look at an inbox brings, and how much of it. */
import type { ReceiveLimit } from '../../protocol/protocol.ts';
import type { Row, Value } from './query.ts';
import { numberOf } from './rows.ts';

/** A message as it was read. */
export interface Waiting {
  readonly row: Row;
  readonly content: unknown;
  readonly size: number;
}

/** Messages from the head of an inbox. */
export interface Slice {
  readonly back: readonly Waiting[];
  readonly waiting: readonly Waiting[];
  /** True when there may be more that was put back. */
  readonly moreBack: boolean;
  /** How often something had been put back when it was read. */
  readonly puts: number;
}

/** How much of a limit is left. */
export class Room {
  messages: number;
  #bytes: number;
  #empty = true;

  constructor({ messages, bytes }: ReceiveLimit) {
    this.messages = messages;
    this.#bytes = bytes;
  }

  /** Takes one of this size if it fits; the first does in any case. */
  takes(size: number): boolean {
    if (this.messages <= 0 || (size > this.#bytes && !this.#empty)) return false;
    this.messages--;
    this.#bytes -= size;
    this.#empty = false;
    return true;
  }
}

/** True for a message that went to everybody. */
export function isBroadcast(row: Row): boolean {
  return row['broadcast'] === true || (numberOf(row['broadcast']) ?? 0) !== 0;
}

/** A value of a row, to be bound again as it is. */
export function valueOf(value: unknown): Value {
  if (typeof value === 'string' || typeof value === 'number' || value instanceof Uint8Array) return value;
  return typeof value === 'bigint' ? Number(value) : null;
}
