/** Several hosts on one database: who cannot be seen is judged by its lease. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Connection, Store } from '../../src/protocol/protocol.ts';
import { until } from '../../src/testing/until.ts';
import { codeOf, connect, contents, elsewhere, everything, outgoing } from '../postgresql/scene.ts';
import { schemaOf, type Served, type TestServer } from './server.ts';
import { create, open } from './stores.ts';

/** Seconds: short, but longer than a busy machine holds up a renewal. */
const lease = { protocolOptions: { lease: 3 } };

/** A store of one test. */
interface Scene {
  readonly server: TestServer;
  readonly route: string;
  readonly here: Store;
  /** A table of ours as the administrator names it. */
  readonly table: (name: string) => string;
  /** Has a name of another host's process taken by somebody here, as if that had been silent for longer than its lease. */
  readonly takeOver: (name: string) => Promise<Connection>;
}

async function scene(t: TestContext, served: Served): Promise<Scene> {
  const server = served();
  const route = await server.route();
  const here = await create(t, server, route, lease);
  const table = (name: string): string => `${schemaOf(route)}.${name}`;
  const takeOver = async (name: string): Promise<Connection> => {
    for (;;) {
      // It may renew its lease before we have the name.
      await server.query(`UPDATE ${table('ipcm_leases')} SET expires = 1 WHERE process LIKE '4711 %'`);
      const taken = await connect(here, name).catch((error: unknown) => error);
      if (!(taken instanceof Error)) return taken as Connection;
      assert.equal((taken as { code?: unknown }).code, 'IPCM_NAME_TAKEN');
    }
  };
  return { server, route, here, table, takeOver };
}

/** Tests of hosts. */
export function hostTests(served: Served): void {
  test('a client of another host lives as long as its lease is renewed, and is reaped when it is not', async (t) => {
    const { server, route, here, table } = await scene(t, served);
    const there = await open(t, server, route, lease);
    await connect(there, 'far', { identity: elsewhere() });
    const near = await connect(here, 'near');
    const expires = async (): Promise<number> => {
      const [row] = await server.query(`SELECT expires FROM ${table('ipcm_leases')} WHERE process LIKE '4711 %'`);
      return Number(row?.['expires']);
    };
    const first = await expires();
    // Longer than a lease: it was renewed.
    await until('two leases are over', async () => (await expires()) - first > 6, 60_000);
    assert.deepEqual((await here.peers()).map(({ name, state }) => `${name} ${state}`).sort(), [
      'far active',
      'near active',
    ]);
    assert.deepEqual(await near.deliver('far', outgoing('near', 'far', 'unread')), { taken: 1 });
    // It falls silent: closed without a word.
    await there.close();
    await until('it is dead', async () => (await here.peer('far'))?.state === 'dead', 60_000);
    assert.deepEqual(await here.reap(), [{ name: 'far', pid: 4711, lost: 1 }]);
    assert.equal(await here.peer('far'), undefined);
  });

  test('who comes back after its lease is told, unless nobody has reaped it', async (t) => {
    const { server, route, here, takeOver } = await scene(t, served);
    const there = await open(t, server, route, lease);
    const identity = elsewhere();
    const [a, b] = [await connect(there, 'a', { identity }), await connect(there, 'b', { identity })];
    const near = await connect(here, 'near');
    await near.deliver('a', outgoing('near', 'a', 'before'));
    // As if it had been silent for longer than the lease, and others had reaped `b` alone.
    const successor = await takeOver('b');
    await near.deliver('b', outgoing('near', 'b', 'for the successor'));
    const send = (): Promise<string> => codeOf(() => b.deliver('near', outgoing('b', 'near', 'x')));
    await until('b knows', async () => (await send()) === 'IPCM_NOT_CONNECTED');
    assert.equal(await codeOf(() => b.receive(everything)), 'IPCM_NOT_CONNECTED');
    assert.deepEqual(contents(await a.receive(everything)), ['before']);
    assert.deepEqual(contents(await successor.receive(everything)), ['for the successor']);
    await b.disconnect();
    assert.equal((await here.peer('b'))?.identity?.pid, process.pid);
    await until('a is alive again', async () => (await here.peer('a'))?.state === 'active');
  });

  test('who leaves in order leaves no lease and no line behind', async (t) => {
    const { server, here, table } = await scene(t, served);
    const client = await connect(here, 'a');
    const left = (): Promise<unknown> =>
      server.query(`SELECT process FROM ${table('ipcm_leases')} UNION ALL SELECT line FROM ${table('ipcm_lines')}`);
    assert.equal(((await left()) as unknown[]).length, 2);
    await client.disconnect();
    await here.close();
    assert.deepEqual(await left(), []);
  });

  test('a client of this host is judged by the process table, whatever its lease', async (t) => {
    const { server, here, table } = await scene(t, served);
    await connect(here, 'busy');
    await server.query(`DELETE FROM ${table('ipcm_leases')}`);
    assert.equal((await here.peer('busy'))?.state, 'active');
    assert.deepEqual(await here.reap(), []);
  });

  test('of two who reap one at once only one does, and a renewal in between saves it', async (t) => {
    const { server, route, here, table } = await scene(t, served);
    const [there, other] = [
      await open(t, server, route, { protocolOptions: { lease: 3600 } }),
      await open(t, server, route, lease),
    ];
    await connect(there, 'far', { identity: elsewhere() });
    await server.query(`UPDATE ${table('ipcm_leases')} SET expires = 1 WHERE process LIKE '4711 %'`);
    const reaped = await Promise.all([here.reap(), other.reap()]);
    assert.deepEqual(
      reaped.flat().map(({ name }) => name),
      ['far'],
    );
    assert.equal(await codeOf(() => connect(here, 'far', { mode: 'reconnect' })), 'IPCM_NO_SUCH_CLIENT');
  });

  test('of clients with a store each the one that was reaped is told, though another renewed the lease first', async (t) => {
    const { server, route, takeOver } = await scene(t, served);
    const identity = elsewhere();
    const [one, other] = [await open(t, server, route, lease), await open(t, server, route, lease)];
    const [a, b] = [await connect(one, 'a', { identity }), await connect(other, 'b', { identity })];
    const successor = await takeOver('b');
    await until('b knows', async () => (await codeOf(() => b.receive(everything))) === 'IPCM_NOT_CONNECTED');
    assert.deepEqual(await a.receive(everything), []);
    // Neither its end nor its suspension touches what is another's by now.
    await successor.deliver('b', outgoing('b', 'b', 'for the successor'));
    await b.disconnect();
    assert.deepEqual(contents(await successor.receive(everything)), ['for the successor']);
  });

  test('an old life ends without its successor in the same process', async (t) => {
    const { server, route, here, table } = await scene(t, served);
    const there = await open(t, server, route, lease);
    const identity = elsewhere();
    const old = await connect(there, 'a', { identity, acknowledge: true });
    // Another host has reaped it, and it has come back before it learned that.
    await server.query(
      `UPDATE ${table('ipcm_peers')} SET pid = NULL, active = NULL, ipcm_process = NULL WHERE id = 'a'`,
    );
    const successor = await connect(there, 'a', { identity, acknowledge: true });
    const near = await connect(here, 'near');
    await near.deliver('a', outgoing('near', 'a', 'handed out', 'waiting'));
    const [handed] = await successor.receive({ messages: 1, bytes: 1000 });
    assert.equal(await codeOf(() => old.receive(everything)), 'IPCM_NOT_CONNECTED');
    await old.seal();
    await old.suspend(undefined);
    await old.disconnect();
    assert.equal((await here.peer('a'))?.state, 'active');
    assert.deepEqual(contents(await successor.receive(everything)), ['waiting']);
    await successor.acknowledge([handed?.receipt]);
  });

  test('the end of one line leaves the lease that another line of the process needs', async (t) => {
    const { server, route, here, table } = await scene(t, served);
    const leases = async (): Promise<number> =>
      (await server.query(`SELECT process FROM ${table('ipcm_leases')}`)).length;
    const stays = await connect(here, 'stays');
    // Another way to the same tables.
    const there = await open(t, server, route.replace('=/', '=/./'), lease);
    const goes = await connect(there, 'goes');
    await goes.disconnect();
    await there.close();
    assert.equal(await leases(), 1);
    await stays.disconnect();
    await here.close();
    assert.equal(await leases(), 0);
  });

  test("whether a suspension is over the server's clock tells, whatever that of a host says", async (t) => {
    const { here } = await scene(t, served);
    const [a, b] = [await connect(here, 'a'), await connect(here, 'b')];
    await b.suspend(Date.now() / 1000 + 60);
    const real = Date.now;
    t.mock.method(Date, 'now', () => real() + 3_600_000);
    assert.equal((await here.peer('b'))?.state, 'suspended');
    assert.deepEqual(await a.deliver('b', outgoing('a', 'b', 'waits')), { taken: 1 });
    assert.deepEqual(await here.reap(), []);
    const again = await connect(here, 'b', { mode: 'reconnect' });
    assert.deepEqual(contents(await again.receive(everything)), ['waits']);
    t.mock.restoreAll();
    await again.suspend(real() / 1000 - 1);
    t.mock.method(Date, 'now', () => real() - 3_600_000);
    assert.equal((await here.peer('b'))?.state, 'dead');
  });
}
