import { test } from 'node:test';
import { protocol } from '../../src/protocols/mariadb/index.ts';
import { runConformance } from '../../src/testing/index.ts';
import { missing, TestServer } from '../mysql-family/server.ts';

const reason = missing('MariaDB');
let server: TestServer | undefined;

if (reason !== undefined) test('conformance of MariaDB', { skip: reason }, () => undefined);
else
  await runConformance({
    name: 'MariaDB',
    protocol,
    childProtocol: `+${new URL('../../src/protocols/mariadb/index.ts', import.meta.url).href}`,
    setup: async () => {
      server = await TestServer.start('MariaDB');
    },
    spawnOptions: async () => ({ route: await server?.route() }),
    teardown: async () => server?.stop(),
  });
