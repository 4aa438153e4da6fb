/** A server that stops answering without a word. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ipcmSpawn } from '../../src/bus.ts';
import { until } from '../../src/testing/until.ts';
import { ending } from './ending.ts';
import { schemaOf, startServer, type Kind, type Served, type TestServer } from './server.ts';

/** A process and all that it has started. */
function family(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      parents.set(Number(entry), Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${entry}/status`, 'latin1'))?.[1]));
    } catch {
      // Ended meanwhile.
    }
  }
  const found = [pid];
  for (const each of found) for (const [child, parent] of parents) if (parent === each) found.push(child);
  return found;
}

/** True when all threads of a process are stopped, which comes some time after the signal. */
function isStopped(pid: number): boolean {
  const tasks = readdirSync(`/proc/${pid}/task`);
  return tasks.every((task) => /^State:\s+T/m.test(readFileSync(`/proc/${pid}/task/${task}/status`, 'latin1')));
}

/** Makes every insert of messages take nine seconds: longer than the silence after which a server is asked. */
async function slowDown(server: TestServer, schema: string): Promise<void> {
  if (server.kind !== 'PostgreSQL') {
    await server.query(
      `CREATE TRIGGER ${schema}.slow BEFORE INSERT ON ${schema}.ipcm_messages FOR EACH ROW DO SLEEP(9)`,
    );
    return;
  }
  await server.query(
    `CREATE FUNCTION ${schema}.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(9); RETURN NULL; END $$`,
  );
  await server.query(
    `CREATE TRIGGER slow BEFORE INSERT ON ${schema}.ipcm_messages FOR EACH STATEMENT EXECUTE FUNCTION ${schema}.slow()`,
  );
  await server.query(`ALTER TABLE ${schema}.ipcm_messages ENABLE ALWAYS TRIGGER slow`);
}

/** The connections of buses at the server, by their numbers. */
async function connections(server: TestServer, schema: string): Promise<number[]> {
  const rows = await server.query(
    server.kind === 'PostgreSQL'
      ? "SELECT pid AS id FROM pg_stat_activity WHERE application_name LIKE 'ipcm %'"
      : `SELECT ID AS id FROM information_schema.PROCESSLIST WHERE DB = '${schema}'`,
  );
  return rows.map(({ id }) => Number(id)).sort((a, b) => a - b);
}

/** Tests of silence: the first on a server of its own, which it stops. */
export function silenceTests(kind: Kind, served: Served): void {
  test('a server that is stopped holds up nobody for longer than reconnectTimeout and some seconds', async (t) => {
    const server = await startServer(kind);
    const protocolOptions = { reconnectTimeout: 1000 };
    const bus = await ipcmSpawn({ protocol: kind, route: await server.route(), guard: false, protocolOptions });
    const [a, b] = [await bus.connect('a'), await bus.connect('b')];
    await a.sendMessage('b', 'before');
    const stopped = family(server.pid);
    ending(t, async () => {
      for (const pid of stopped) process.kill(pid, 'SIGCONT');
      // With what the shutdown could not do: the tables go, and the doorbells.
      await bus.unspawn();
      await server.stop();
    });
    for (const pid of stopped) process.kill(pid, 'SIGSTOP');
    await until('it has stopped', () => stopped.every(isStopped));
    const seconds = async (action: Promise<unknown>): Promise<number> => {
      const begin = performance.now();
      await assert.rejects(
        action,
        (error) =>
          /cannot be reached/.test(String(error) + String((error as Error).cause)) || error instanceof AggregateError,
      );
      return (performance.now() - begin) / 1000;
    };
    const sending = await seconds(a.sendMessage('b', 'into silence'));
    assert.ok(sending < 25, `the send took ${sending} s`);
    const leaving = await seconds(b.disconnect());
    assert.ok(leaving < 10, `the disconnect took ${leaving} s`);
    const stopping = await seconds(bus.shutdown());
    assert.ok(stopping < 20, `the shutdown took ${stopping} s`);
  });

  test('a statement that takes long is waited for, on a server that answers others', async (t) => {
    const server = served();
    const bus = await ipcmSpawn({ protocol: kind, route: await server.route(), guard: false });
    ending(t, () => bus[Symbol.asyncDispose]());
    const [a, b] = [await bus.connect('a'), await bus.connect('b')];
    const schema = schemaOf(bus.route);
    await slowDown(server, schema);
    const before = await connections(server, schema);
    await a.sendMessage('b', 'slow');
    // The one that asked has gone.
    const same = async (): Promise<boolean> => String(await connections(server, schema)) === String(before);
    await until('there is the connection that was there, and no other', same);
    assert.deepEqual(
      (await b.getMessages()).map(({ content }) => content),
      ['slow'],
    );
    await bus.shutdown();
  });
}
