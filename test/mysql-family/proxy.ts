/** Stands between a client and the server, and loses what one of them says from some moment on. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { ending } from './scene.ts';
import type { TestServer } from './server.ts';

type Side = 'questions' | 'answers';

/** Bytes of a packet before the text of a statement. */
const head = 5;

/** A proxy of one test. */
export class Proxy {
  lose: Side | undefined;
  /** What to lose from the statement or the packet on in which something stands. */
  from: { readonly mark: string; readonly lose: Side } | undefined;
  /** Bytes lost. */
  lost = 0;
  readonly #server: TestServer;
  readonly #folder = mkdtempSync('/tmp/ipcm-proxy-');
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #leaveOpen = false;

  private constructor(server: TestServer) {
    this.#server = server;
  }

  /** Starts one that ends with the test. */
  static async start(t: TestContext, server: TestServer): Promise<Proxy> {
    const proxy = new Proxy(server);
    const listener = createServer((client) => proxy.#pair(client));
    listener.listen(`${proxy.#folder}/s`);
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
    return route.replace(/_socket=[^;]*/, `_socket=${this.#folder}/s`);
  }

  /** Ends all connections, or leaves them open at the server, and lets the next ones through. */
  cut({ leaveOpen = false } = {}): void {
    this.#leaveOpen = leaveOpen;
    this.lose = undefined;
    this.from = undefined;
    for (const [client] of this.#pairs) client.destroy();
  }

  #pair(client: Socket): void {
    const target = createConnection(this.#server.socket);
    const pair = [client, target] as const;
    this.#pairs.add(pair);
    const pass = (to: Socket, what: Side) => (bytes: Buffer) => {
      let kept = bytes;
      if (what === 'questions' && this.from !== undefined && bytes.includes(this.from.mark)) {
        this.lose = this.from.lose;
        if (this.lose === what) kept = bytes.subarray(0, Math.max(0, bytes.indexOf(this.from.mark) - head));
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
