import { test } from 'node:test';
import { protocol } from '../../src/protocols/mysql/index.ts';
import { runConformance } from '../../src/testing/index.ts';
import { missing, TestServer } from '../mysql-family/server.ts';

const reason = missing('MySQL');
let server: TestServer | undefined;

if (reason !== undefined) test('conformance of MySQL', { skip: reason }, () => undefined);
else
  await runConformance({
    name: 'MySQL',
    protocol,
    childProtocol: `+${new URL('../../src/protocols/mysql/index.ts', import.meta.url).href}`,
    setup: async () => {
      server = await TestServer.start('MySQL');
    },
    spawnOptions: async () => ({ route: await server?.route() }),
    teardown: async () => server?.stop(),
  });
