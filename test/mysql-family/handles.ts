/** Handles of the caller's: the bus takes their settings, and leaves them alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import mysql from 'mysql2/promise';
import { ipcmConnect, ipcmSpawn } from '../../src/bus.ts';
import { ending } from '../sql-server/ending.ts';
import { bus, take } from './scene.ts';
import type { Served } from './server.ts';

/** Tests of handles. */
export function handleTests(served: Served): void {
  const settings = async (): Promise<{ socketPath: string; user: string; database: string }> => {
    const server = served();
    return { socketPath: server.socket, user: server.user, database: await server.database() };
  };

  test('a connection of mysql2 stays open, its transactions stay its own, and when it is lost the bus goes on', async (t) => {
    const given = await settings();
    for (const isPlain of [false, true]) {
      const wrapped = await mysql.createConnection(given);
      ending(t, () => wrapped.destroy());
      // With promises around it, and without.
      const database = isPlain ? (wrapped as unknown as { connection: object }).connection : wrapped;
      const made = await ipcmSpawn({ protocol: served().kind, protocolOptions: { database }, guard: false });
      const [a, b] = [await made.connect('a'), await ipcmConnect('b', made.info, { user: given.user })];
      await wrapped.query('BEGIN');
      await a.sendMessage('b', 'hello');
      await wrapped.query('ROLLBACK');
      assert.equal((await take(b, 1))[0]?.content, 'hello');
      await wrapped.query('SELECT 1');
      wrapped.destroy();
      await a.sendMessage('b', 'again');
      assert.equal((await take(b, 1))[0]?.content, 'again');
      await a.disconnect();
      await b.disconnect();
      await made.shutdown();
    }
  });

  test('a pool of mysql2 keeps all of its connections, and stays open', async (t) => {
    const pool = mysql.createPool({ ...(await settings()), connectionLimit: 1 });
    ending(t, () => pool.end());
    // All that it has: the bus can take none of them.
    const only = await pool.getConnection();
    const made = await ipcmSpawn({ protocol: served().kind, protocolOptions: { database: pool }, guard: false });
    const a = await made.connect('a');
    await a.sendMessage('a', 'hello');
    assert.equal((await take(a, 1))[0]?.content, 'hello');
    await a.disconnect();
    await made.shutdown();
    only.release();
    await pool.query('SELECT 1');
  });

  test('settings of a connection are a handle, and what is none is refused without being shown', async (t) => {
    const given = await settings();
    const made = await ipcmSpawn({ protocol: served().kind, protocolOptions: { database: given }, guard: false });
    ending(t, () => made.unspawn());
    assert.ok(made.route.includes(`_socket=${given.socketPath}`), made.route);
    for (const database of [{ password: 'geheim' }, 'mysql://bus:geheim@/ipcm', 1]) {
      await assert.rejects(bus(t, served, { protocolOptions: { database } }), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'IPCM_INVALID_OPTION');
        assert.doesNotMatch(error.message, /geheim/);
        return true;
      });
    }
  });
}
