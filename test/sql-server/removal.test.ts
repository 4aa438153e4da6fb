/** Stores that are removed while others open them. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { ipcmSpawn } from '../../src/bus.ts';
import * as family from '../mysql-family/server.ts';
import { noPrivateServer } from '../../src/protocols/sql-server/private/server.ts';
import { recipe } from '../../src/protocols/postgresql/recipe.ts';
import * as postgresql from '../postgresql/server.ts';

for (const kind of ['PostgreSQL', 'MariaDB', 'MySQL'] as const) {
  const isFamily = kind !== 'PostgreSQL';
  describe(kind, { skip: (isFamily ? family.missing(kind) : noPrivateServer(recipe)) ?? false }, () => {
    let server: family.TestServer | postgresql.TestServer;
    before(async () => {
      server = await (isFamily ? family.TestServer.start(kind) : postgresql.TestServer.start());
    });
    after(() => server.stop());

    test('a store that other processes open while it is being removed is not made anew', async (t) => {
      const openers = [1, 2, 3].map(() => fork(`${import.meta.dirname}/opener.ts`, [kind]));
      t.after(() => openers.forEach((opener) => opener.kill('SIGKILL')));
      for (let round = 0; round < 12; round++) {
        const bus = await ipcmSpawn({ protocol: kind, route: await server.route() });
        const opened = openers.map((opener) => once(opener, 'message'));
        for (const opener of openers) opener.send(bus.route);
        await Promise.all(opened);
        const missed = openers.map((opener) => once(opener, 'message'));
        await bus.shutdown();
        for (const [said] of await Promise.all(missed)) assert.equal(said, 'missing');
      }
      const ended = openers.map((opener) => once(opener, 'exit'));
      for (const opener of openers) opener.disconnect();
      await Promise.all(ended);
    });
  });
}
