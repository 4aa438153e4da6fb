/** What a client listens with. */
import { lstatSync } from 'node:fs';
import type { Awaitable } from '../../protocol/protocol.ts';
import type { StreamSocket } from './stream-socket.ts';

/** The kernel cuts it to net.core.somaxconn. */
export const backlog = 511;

/** Where connections go. */
export interface ListenerOwner {
  /** Somebody has connected; nothing is read yet. */
  accept(socket: StreamSocket): void;
  /** Nobody can be let in for now. */
  failed(error: Error): void;
}

/** A socket that listens at a client's entry. */
export interface Listener {
  /** Hands out connections from now on, first those that have come already. */
  start(owner: ListenerOwner): void;
  /** Takes in everybody who connected while the entry was there, then closes. */
  drain(): Awaitable<void>;
  /** Any number of times. */
  close(): void;
}

/** Whether an entry is a socket that can be connected to. */
export function isListening(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true;
  } catch {
    // A name too long for the file system, or a route that is none: nobody is there.
    return false;
  }
}
