/** Users who may not end the connections of others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createConnection, type Connection } from 'mariadb';
import { bury, taking } from '../../src/protocols/mysql-family/burial.ts';
import { judge, StillThere } from '../../src/protocols/mysql-family/errors.ts';
import { noPrivateServer } from '../../src/protocols/sql-server/private/server.ts';
import { until } from '../../src/testing/until.ts';
import { connect, contents, everything, outgoing } from '../postgresql/scene.ts';
import { pass, recipes, startAsking } from '../sql-server/asking.ts';
import { ending } from '../sql-server/ending.ts';
import { Proxy } from '../sql-server/proxy.ts';
import { create, open } from '../sql-server/stores.ts';
import { upTo } from './scene.ts';

for (const kind of ['MariaDB', 'MySQL'] as const) {
  const skip = noPrivateServer(recipes[kind]) ?? false;

  test(
    `${kind}: of two users of one store each ends its own lost connections, and needs no right for it`,
    { skip },
    async (t) => {
      const server = await startAsking(t, kind, ['one', 'two']);
      const direct = await create(t, server, server.route, { user: 'one', pass });
      const reader = await connect(direct, 'reader');
      for (const user of ['one', 'two']) {
        const proxy = await Proxy.start(t, server);
        const store = await open(t, server, proxy.route(server.route), { user, pass });
        const sender = await connect(store, user);
        await sender.deliver('reader', outgoing(user, 'reader', 'first'));
        for (const count of [1, 300]) {
          proxy.lost = 0;
          proxy.from = { mark: 'COMMIT', lose: 'questions' };
          const delivery = Promise.resolve(sender.deliver('reader', outgoing(user, 'reader', ...upTo(count))));
          await until('the end was lost', () => proxy.lost > 0);
          // The server has the rest, and holds its locks.
          proxy.cut({ leaveOpen: true });
          assert.deepEqual(await delivery, { taken: count });
        }
        assert.deepEqual(contents(await reader.receive(everything)), ['first', ...upTo(1), ...upTo(300)]);
        assert.deepEqual(await reader.receive(everything), []);
      }
    },
  );

  test(
    `${kind}: a connection that may not be ended is waited for, and never taken for ended while it lives`,
    { skip },
    async (t) => {
      const server = await startAsking(t, kind, ['one', 'two']);
      const enter = async (user: string): Promise<Connection> => {
        const connection = await createConnection({
          socketPath: server.socket,
          user,
          password: pass,
          bigIntAsNumber: true,
        });
        connection.on('error', () => undefined);
        ending(t, () => connection.end().catch(() => undefined));
        return connection;
      };
      const [one, two, watcher] = [await enter('one'), await enter('two'), await enter('two')];
      const tag = 'ipcm 4711 1';
      await one.query(taking(tag));
      await assert.rejects(two.query(`KILL IS_USED_LOCK('${tag}')`), { errno: 1095 });
      await assert.rejects(bury(two, tag), (error) => error instanceof StillThere && judge(error) === 'lost');
      let isBuried = false;
      const burying = bury(two, tag).then(() => (isBuried = true));
      const waiting = "SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT GET_LOCK%'";
      await until('it waits', async () => (await watcher.query<unknown[]>(waiting)).length > 0);
      assert.equal(isBuried, false);
      await one.end();
      await burying;
      // Let go of: whoever comes next is not kept waiting.
      assert.deepEqual(await watcher.query(`SELECT IS_FREE_LOCK('${tag}') AS free`), [{ free: 1 }]);
    },
  );
}
