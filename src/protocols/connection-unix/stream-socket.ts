/** A connected stream socket as a channel needs it: by its descriptor where the native part is there, else Node's. */

/** Bytes that are still read from a socket that is broken for writing: more than a socket's buffer holds. */
export const mostSalvaged = 16 * 1024 * 1024;

/** What a stream socket tells its owner. It may be used, and also closed, within each of these. */
export interface StreamOwner {
  /** What came; what is `lent` is good until this returns. */
  data(chunk: Buffer, lent: boolean): void;
  /** Nothing comes any more. */
  ended(): void;
  /** The descriptor is closed, and nothing else is told. Never called within a call of the owner's. */
  closed(): void;
  /** The event loop has to poll before it is known what there is. */
  resumed(): void;
}

/** A connected stream socket. It keeps the process alive only while what was written waits for the kernel. */
export interface StreamSocket {
  /** Undefined where it is not known, or closed. */
  readonly fd: number | undefined;
  /** False once this side has ended its half, or a write has failed. */
  readonly writable: boolean;
  /** Reads from now on; before that nothing is told. */
  start(owner: StreamOwner): void;
  /** Reads nothing until told to. */
  pause(): void;
  resume(): void;
  /** Reads what is there past the event loop, where that is possible; true when something was. */
  readNow(): boolean;
  /**
   * Writes all parts. True when the kernel has them; false when the connection turns out to be dead, and nothing was taken; a
   * promise where the kernel takes them bit by bit, of false when the connection ended over it. They are not to be changed until then.
   */
  write(parts: readonly Buffer[]): boolean | Promise<boolean>;
  /** Ends this half once all is written. The socket closes when both halves have ended; the end of the other one ends this. */
  end(): void;
  /** Closes at once, after a last look at what the peer has sent. So does a socket by itself that turns out to be broken. */
  cut(): void;
  /** Closes at once. */
  destroy(): void;
}
