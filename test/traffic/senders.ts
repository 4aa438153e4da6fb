/** Sender processes for the tests of traffic, and the check of what arrives from them. */
import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { TestContext } from 'node:test';
import type { Client } from '../../src/index.ts';
import { contentOf } from '../fixtures/traffic-content.ts';
import type { Job } from '../fixtures/traffic-sender.ts';

const program = fileURLToPath(new URL('../fixtures/traffic-sender.ts', import.meta.url));

/** A running sender. */
export interface Sender {
  readonly process: ChildProcess;
  /** Resolves to its exit code or signal. */
  readonly ended: Promise<unknown>;
  /** Messages sent so far, as it last reported. */
  sent: number;
  /** It once had to wait for room for longer than a moment. */
  stuck: boolean;
  done: boolean;
}

/** Starts a sender; it dies with the test. */
export function startSender(t: TestContext, job: Job): Sender {
  const child = fork(program, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  t.after(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit').then(([code, signal]: unknown[]) => signal ?? code);
  const sender: Sender = { process: child, ended, sent: 0, stuck: false, done: false };
  child.on('message', (message) => Object.assign(sender, message));
  child.send(job);
  return sender;
}

/** Resolves when each of them has been waiting for room; fails when one has ended instead. */
export async function allStuck(senders: readonly Sender[]): Promise<void> {
  for (const sender of senders) {
    while (!sender.stuck) {
      assert.ok(!sender.done && sender.process.exitCode === null, 'the queue was never full');
      await Promise.race([once(sender.process, 'message'), sender.ended]);
    }
  }
}

/** Checks that each sender's messages come in its order, none missing, none twice, each one whole. */
export class OrderCheck {
  readonly #next = new Map<string, number>();
  readonly #sizes: readonly number[];

  constructor(sizes: readonly number[]) {
    this.#sizes = sizes;
  }

  /** Messages that have come so far. */
  count = 0;

  /** Reads until there have been so many messages; what waits behind them may come along. */
  async read(client: Client, total: number): Promise<void> {
    while (this.count < total) {
      assert.ok(await this.some(client, 20_000), `nothing came any more after ${this.count} of ${total} messages`);
    }
  }

  /** Reads what is there, or comes first; false where nothing comes in time. */
  async some(client: Client, milliseconds: number): Promise<boolean> {
    const messages = await client.getMessages({ timeout: milliseconds });
    for (const { from, content } of messages) this.#check(from, content as { n: number; text: string });
    this.count += messages.length;
    return messages.length > 0;
  }

  #check(from: string, { n, text }: { n: number; text: string }): void {
    const expected = this.#next.get(from) ?? 0;
    assert.equal(n, expected, `message ${n} of ${from} came where ${expected} was due`);
    assert.equal(text, contentOf(n, this.#sizes[n % this.#sizes.length] ?? 0).text);
    this.#next.set(from, n + 1);
  }
}
