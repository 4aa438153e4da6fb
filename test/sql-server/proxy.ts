/** Stands between a client and the server, and loses what one of them says from some moment on. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import type { TestContext } from 'node:test';
import { ending } from './ending.ts';
import type { TestServer } from './server.ts';

type Behind = Pick<TestServer, 'kind' | 'socket'>;
type Side = 'questions' | 'answers';

/**
 * Bytes of a packet before the text of a statement. What stands before that is let through, but on PostgreSQL, where a
 * statement that comes alone is one packet.
 */
const head = { PostgreSQL: undefined, MariaDB: 5, MySQL: 5 };

/** A proxy of one test. */
export class Proxy {
  lose: Side | undefined;
  /** What to lose from the statement or the packet on in which something stands. */
  from: { readonly mark: string; readonly lose: Side } | undefined;
  /** Bytes lost. */
  lost = 0;
  /** True where nobody is let through. */
  away = false;
  readonly #server: Behind;
  readonly #folder = mkdtempSync('/tmp/ipcm-proxy-');
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #leaveOpen = false;

  private constructor(server: Behind) {
    this.#server = server;
  }

  /** Starts one that ends with the test. */
  static async start(t: TestContext, server: Behind): Promise<Proxy> {
    const proxy = new Proxy(server);
    const listener = createServer((client) => proxy.#pair(client));
    listener.listen(`${proxy.#folder}/${basename(server.socket)}`);
    await once(listener, 'listening');
    ending(t, () => {
      proxy.#leaveOpen = false;
      for (const pair of proxy.#pairs) for (const socket of pair) socket.destroy();
      listener.close();
      rmSync(proxy.#folder, { recursive: true, force: true });
    });
    return proxy;
  }

  /** The route through it. */
  route(route: string): string {
    return route.replace(dirname(this.#server.socket), this.#folder);
  }

  /** Ends all connections, or leaves them open at the server, and lets the next ones through. */
  cut({ leaveOpen = false } = {}): void {
    this.#leaveOpen = leaveOpen;
    this.lose = undefined;
    this.from = undefined;
    for (const [client] of this.#pairs) client.destroy();
  }

  #pair(client: Socket): void {
    if (this.away) return void client.destroy();
    const target = createConnection(this.#server.socket);
    const pair = [client, target] as const;
    this.#pairs.add(pair);
    const pass = (to: Socket, what: Side) => (bytes: Buffer) => {
      let kept = bytes;
      if (what === 'questions' && this.from !== undefined && bytes.includes(this.from.mark)) {
        this.lose = this.from.lose;
        const before = head[this.#server.kind];
        const begin = before === undefined ? 0 : Math.max(0, bytes.indexOf(this.from.mark) - before);
        if (this.lose === what) kept = bytes.subarray(0, begin);
      } else if (this.lose === what) kept = bytes.subarray(0, 0);
      this.lost += this.lose === what ? bytes.length - kept.length : 0;
      if (kept.length > 0) to.write(kept);
    };
    client.on('data', pass(target, 'questions'));
    target.on('data', pass(client, 'answers'));
    for (const [one, other] of [pair, [target, client] as const]) {
      one.on('error', () => undefined);
      one.on('close', () => {
        if (one === client && this.#leaveOpen) return;
        other.destroy();
        this.#pairs.delete(pair);
      });
    }
  }
}
