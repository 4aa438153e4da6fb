import { test } from 'node:test';
import { protocol } from '../../src/protocols/postgresql/index.ts';
import { recipe } from '../../src/protocols/postgresql/recipe.ts';
import { noPrivateServer } from '../../src/protocols/sql-server/private/server.ts';
import { runConformance } from '../../src/testing/index.ts';
import { TestServer } from '../postgresql/server.ts';

const reason = noPrivateServer(recipe);
let server: TestServer | undefined;

if (reason !== undefined) test('conformance of PostgreSQL', { skip: reason }, () => undefined);
else
  await runConformance({
    name: 'PostgreSQL',
    protocol,
    childProtocol: `+${new URL('../../src/protocols/postgresql/index.ts', import.meta.url).href}`,
    setup: async () => {
      server = await TestServer.start();
    },
    spawnOptions: async () => ({ route: await server?.route() }),
    teardown: async () => server?.stop(),
  });
