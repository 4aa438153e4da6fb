/** Users and passwords, on servers that ask for them: where they come from, whom they reach, and where they are never seen. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { ipcmConnect, ipcmSpawn } from '../../src/index.ts';
import { logPath } from '../../src/protocols/sql-server/private/folder.ts';
import { noPrivateServer } from '../../src/protocols/sql-server/private/server.ts';
import { ipcmService, ipcmSupervise } from '../../src/service/index.ts';
import { pass, recipes, startAsking } from './asking.ts';

/** The command lines of all processes. */
function commandLines(): string {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'latin1');
      } catch {
        // It has ended meanwhile.
        return '';
      }
    })
    .join('\n');
}

const deep = { depth: 9, showHidden: true };

for (const kind of ['PostgreSQL', 'MariaDB', 'MySQL'] as const) {
  const skip = noPrivateServer(recipes[kind]) ?? false;
  test(
    `${kind}: user and password of a URL reach all whom its maker lets in, and are shown to nobody`,
    { skip },
    async (t) => {
      const server = await startAsking(t, kind);
      const bus = await ipcmSpawn({ protocol: kind, route: server.url('bus', pass), guard: false });
      assert.equal(bus.route, server.route);
      const [a, b] = [await bus.connect('a'), await ipcmConnect('b', bus)];
      await a.sendMessage('b', 'hello');
      assert.equal((await b.getMessages({ timeout: 10_000 }))[0]?.content, 'hello');
      const shown = [bus.info, inspect(bus, deep), inspect(a, deep)];
      const service = await ipcmService('double', (n: number) => n * 2, { ipcmInfo: bus });
      assert.equal(await service.request(21, { timeout: 30_000 }), 42);
      const children = [{ name: 'child', service: () => 'here' }];
      const supervisor = await ipcmSupervise({ ipcmInfo: bus, children });
      assert.equal(await supervisor.child('child').request('?', { timeout: 30_000 }), 'here');
      shown.push(commandLines(), inspect(service, deep), inspect(supervisor, deep));
      await supervisor.stop();
      await service.stop();
      const refused = [
        ipcmConnect('c', bus.info),
        ipcmConnect('c', bus.info, { user: 'bus', pass: `not ${pass}` }),
        ipcmSpawn({ protocol: kind, route: server.url('bus', `not ${pass}`), guard: false }),
      ];
      for (const attempt of await Promise.allSettled(refused)) {
        assert.equal(attempt.status, 'rejected');
        const error: unknown = attempt.reason;
        const { code, message } = error as { code?: string; message: string };
        assert.equal(code, 'IPCM_STORE_FAILED');
        assert.match(message, /refuses the user/);
        shown.push(inspect(error, deep));
      }
      const c = await ipcmConnect('c', bus.info, { user: 'bus', pass });
      for (const client of [a, b, c]) await client.disconnect(() => undefined);
      await bus.shutdown();
      shown.push(readFileSync(logPath(server.folder), 'utf8'));
      for (const text of shown)
        assert.ok(!text.includes(pass) && !text.includes(encodeURIComponent(pass)), text.slice(0, 2000));
    },
  );

  test(`${kind}: a service on a bus of its own, by a URL`, { skip }, async (t) => {
    const server = await startAsking(t, kind);
    const spawn = { protocol: kind, route: server.url('bus', pass) };
    await using service = await ipcmService('double', (n: number) => n * 2, { spawn });
    assert.equal(await service.request(21, { timeout: 30_000 }), 42);
  });
}
