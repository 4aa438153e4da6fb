/** Routes that name no server: they lead where the databases' own tools would go. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { ipcmConnect } from '../../src/bus.ts';
import { ending } from '../sql-server/ending.ts';
import { bus, client, take } from './scene.ts';
import { setVariable } from '../sql-server/environment.ts';
import type { Served } from './server.ts';

/** A home of this test's own, with an option file. */
function home(t: TestContext, options: string): void {
  const folder = mkdtempSync('/tmp/ipcm-test-');
  ending(t, () => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(`${folder}/.my.cnf`, options, { mode: 0o600 });
  setVariable(t, 'HOME', folder);
}

/** Tests of routes that name no server. */
export function defaultSocketTests(served: Served): void {
  const routes = (database: string): string[] => {
    const [driver, scheme] = served().kind === 'MariaDB' ? ['MariaDB', 'mariadb'] : ['mysql', 'mysql'];
    return [
      `dbi:${driver}:database=${database}`,
      `dbi:${driver}:database=${database};host=localhost`,
      `${scheme}:///${database}`,
      `${scheme}://localhost/${database}`,
    ];
  };

  test('without host, port and socket a route leads to the socket of MYSQL_UNIX_PORT, and so does localhost', async (t) => {
    const server = served();
    home(t, '');
    setVariable(t, 'MYSQL_UNIX_PORT', server.socket);
    for (const route of routes(await server.database())) {
      const made = await bus(t, served, { route, user: server.user });
      const [a, b] = [
        await client(t, made, 'a', { user: server.user }),
        await client(t, made, 'b', { user: server.user }),
      ];
      await a.sendMessage('b', route);
      assert.equal((await take(b, 1))[0]?.content, route);
      assert.doesNotMatch(made.info, /socket=/, 'the info says what was said');
      await a.disconnect();
      await b.disconnect();
      await made.unspawn();
    }
  });

  test('the socket of [client] in ~/.my.cnf comes before MYSQL_UNIX_PORT', async (t) => {
    const server = served();
    home(t, `[client]\nsocket = "${server.socket}"\n`);
    setVariable(t, 'MYSQL_UNIX_PORT', '/nowhere/s');
    const [route = ''] = routes(await server.database());
    const made = await bus(t, served, { route, user: server.user });
    await client(t, made, 'a', { user: server.user });
  });

  test('a socket that is named and not there is an error that says so, and not the network', async (t) => {
    home(t, '');
    setVariable(t, 'MYSQL_UNIX_PORT', '/nowhere/s');
    const [route = ''] = routes('ipcm');
    await assert.rejects(bus(t, served, { route }), { code: 'IPCM_STORE_FAILED', message: /\/nowhere\/s/ });
  });

  test('localhost with a port is the network', async (t) => {
    const server = served();
    home(t, '');
    setVariable(t, 'MYSQL_UNIX_PORT', server.socket);
    const listener = createServer((socket) => socket.end());
    listener.listen(0, 'localhost');
    ending(t, () => listener.close());
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo;
    const called = once(listener, 'connection');
    const [, route = ''] = routes('ipcm');
    const options = { protocolOptions: { reconnectTimeout: 0 } };
    const info = JSON.stringify([server.kind, 'JSON', `${route};port=${port}`]);
    await assert.rejects(ipcmConnect('a', info, options), { code: 'IPCM_STORE_FAILED' });
    await called;
  });
}
