/** A child process of the tests: says `ready`, waits for `go`, does one thing with the store at a route, and says how it went. */
import { once } from 'node:events';
import { DatabaseSync } from 'node:sqlite';
import { ipcmConnect } from '../../src/bus.ts';
import { ownIdentity } from '../../src/liveness/identity.ts';
import { protocol } from '../../src/protocols/sqlite/index.ts';
import json from '../../src/serializers/json.ts';

const [task = '', route = '', name = '', number = '0'] = process.argv.slice(2);
const options = { serializer: json.create({}), limits: { maxMessageBytes: 1 << 20 }, protocolOptions: {} };

function say(what: unknown): void {
  process.send?.(what);
}

async function go(): Promise<void> {
  say('ready');
  await once(process, 'message');
}

const tasks: Readonly<Record<string, () => Promise<void>>> = {
  /** Makes the store. */
  async create() {
    await go();
    await protocol.create({ ...options, route, owner: ownIdentity(), guard: false });
    say('made');
  },
  /** Takes a name. */
  async take() {
    const store = await protocol.open(route, options);
    const report = { rejected: () => undefined, reaped: () => undefined };
    await go();
    try {
      await store.connect({ name, mode: 'connect', identity: ownIdentity(), acknowledge: false, report });
      say('taken');
    } catch (error) {
      say((error as { code?: string }).code);
    }
    await once(process, 'message');
  },
  /** Sends messages, half of them awaited, and reads the answers of none. */
  async send() {
    const client = await ipcmConnect(name, JSON.stringify([protocol.className, 'JSON', route]), { protocol });
    await go();
    const errors: string[] = [];
    for (let n = 0; n < Number(number); n++) {
      const sent = client.sendMessage('reader', { n }).catch((error: unknown) => void errors.push(String(error)));
      if (n % 2 === 0) await sent;
      // In the next turn somebody else may have the lock.
      if (n % 20 === 0) await new Promise(setImmediate);
    }
    await client.disconnect();
    say(errors);
  },
  /** Removes the store. */
  async remove() {
    const store = await protocol.open(route, options);
    await go();
    try {
      await store.remove();
      say('removed');
    } catch (error) {
      say((error as { code?: string }).code);
    }
  },
  /** Holds the lock for some milliseconds. */
  async lock() {
    const database = new DatabaseSync(route, { timeout: 5000 });
    await go();
    database.exec('BEGIN IMMEDIATE');
    say('locked');
    await new Promise((resolve) => setTimeout(resolve, Number(number)));
    database.exec('COMMIT');
    database.close();
    say('let go');
  },
};

await tasks[task]?.();
process.disconnect();
