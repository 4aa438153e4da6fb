/**
 * Looking for messages: one question for all clients of this process that wait on one server.
 *
 * How often is what the poll itself has found out. Messages that it was the first to find come from where no bell reaches us
 * (another host, another user, the reference), and where one came from more may come: it asks every millisecond for a moment,
 * then ever less often, down to every 20 ms after a second, and every quarter of a second when nothing has come so for two
 * minutes. What bells announce does not make it ask.
 */
/** Looks for messages; resolves to those of the names for which there are some. */
export type Ask = (names: readonly string[]) => Promise<ReadonlySet<string>>;

/** Names of one question. */
const mostNames = 50;
/** Milliseconds: the shortest pause, the longest of the first seconds, the longest. */
const [shortest, usual, longest] = [1, 20, 250];
/** So much of the time for which nothing has come is the next pause: a fiftieth at first, later a five hundredth. */
const [soon, later] = [50, 500];

interface Listener {
  readonly wake: () => void;
  readonly ask: Ask;
}

interface Name {
  readonly listeners: Set<Listener>;
  /** When its client last looked by itself, on `performance.now()`'s clock. */
  lookedAt: number;
  /** True while it has been told of messages, and has not looked yet. */
  told: boolean;
}

const polls = new WeakMap<object, Poll>();

/** The poll of those who share a connection. */
export function pollOf(shared: object): Poll {
  let poll = polls.get(shared);
  if (poll === undefined) polls.set(shared, (poll = new Poll()));
  return poll;
}

/** The pause after so many milliseconds in which nothing was found. */
export function pauseAfter(quiet: number): number {
  return Math.max(shortest, Math.min(usual, quiet / soon), Math.min(longest, quiet / later));
}

/** The poll of one connection. */
export class Poll {
  readonly #names = new Map<string, Name>();
  #timer: NodeJS.Timeout | undefined;
  #asking = false;
  /** When it was last the first to find something, or somebody came to listen. */
  #foundAt = 0;

  /** Calls `wake` when there may be messages for a client. Returns how to stop. */
  listen(name: string, listener: Listener): () => void {
    let known = this.#names.get(name);
    if (known === undefined) this.#names.set(name, (known = { listeners: new Set(), lookedAt: 0, told: false }));
    const { listeners } = known;
    listeners.add(listener);
    this.#foundAt = performance.now();
    this.#schedule();
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#names.get(name)?.listeners === listeners) this.#names.delete(name);
      if (this.#names.size === 0) this.#stop();
    };
  }

  /** A client looks by itself: it needs not be asked for in the next moment. */
  looked(name: string): void {
    const known = this.#names.get(name);
    if (known === undefined) return;
    known.lookedAt = performance.now();
    known.told = false;
  }

  /** A client was told by a bell. */
  rung(name: string): void {
    const known = this.#names.get(name);
    if (known !== undefined) known.told = true;
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(): void {
    if (this.#asking || this.#names.size === 0) return;
    clearTimeout(this.#timer);
    const quiet = performance.now() - this.#foundAt;
    this.#timer = setTimeout(() => void this.#round(), pauseAfter(quiet));
    // Who waits keeps the process alive.
    this.#timer.unref();
  }

  async #round(): Promise<void> {
    this.#asking = true;
    const now = performance.now();
    const pause = pauseAfter(now - this.#foundAt);
    const due = [...this.#names].filter(([, { told, lookedAt }]) => !told && now - lookedAt >= pause);
    try {
      for (let at = 0; at < due.length; at += mostNames) {
        await this.#askFor(due.slice(at, at + mostNames).map(([name]) => name));
      }
    } catch {
      // They find out why when they look; and the next question is some time off.
      for (const [name] of due) this.#tell(name);
      this.#foundAt = Math.min(this.#foundAt, performance.now() - usual * soon);
    } finally {
      this.#asking = false;
      this.#schedule();
    }
  }

  async #askFor(names: readonly string[]): Promise<void> {
    const [listener] = names.flatMap((name) => [...(this.#names.get(name)?.listeners ?? [])]);
    if (listener === undefined) return;
    const asked = performance.now();
    for (const name of await listener.ask(names)) {
      const known = this.#names.get(name);
      // Rung meanwhile, or it has looked: no news.
      if (known === undefined || known.told || known.lookedAt >= asked) continue;
      this.#foundAt = performance.now();
      this.#tell(name);
    }
  }

  #tell(name: string): void {
    const known = this.#names.get(name);
    if (known === undefined) return;
    known.told = true;
    for (const { wake } of known.listeners) wake();
  }
}
