/** Tells who came to a bus and who left it. */
import type { Client } from '../client/client.ts';
import type { PeerDelta } from './definition.ts';

/** Milliseconds between looks that no hint asks for: the death of a process gives none. */
const interval = 500;

/** Compares the peers with those of the last look. */
export class PeerDeltas {
  readonly #client: Client;
  readonly #tell: (delta: PeerDelta) => Promise<void>;
  readonly #unwatch: () => void;
  readonly #timer: NodeJS.Timeout;
  #known: ReadonlySet<string> | undefined;
  #looking = false;
  #again = false;
  #stopped = false;

  constructor(client: Client, tell: (delta: PeerDelta) => Promise<void>) {
    this.#client = client;
    this.#tell = tell;
    this.#unwatch = client.watchPeers(() => this.#look());
    this.#timer = setInterval(() => this.#look(), interval).unref();
    this.#look();
  }

  /** Ends it. */
  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#unwatch();
  }

  #look(): void {
    this.#again = true;
    if (this.#looking) return;
    this.#looking = true;
    const work = async (): Promise<void> => {
      while (this.#again && !this.#stopped) {
        this.#again = false;
        await this.#compare();
      }
    };
    work().then(
      () => (this.#looking = false),
      // The store is gone, or the client has left: whoever reads from it is told.
      () => (this.#looking = false),
    );
  }

  async #compare(): Promise<void> {
    const now = new Set(await this.#client.peers());
    const known = this.#known;
    this.#known = now;
    // Who is there at the beginning has not come.
    if (known === undefined || this.#stopped) return;
    const joined = [...now].filter((name) => !known.has(name));
    const left = [...known].filter((name) => !now.has(name));
    if (joined.length + left.length > 0) await this.#tell({ joined, left });
  }
}
