import { runConformance } from '../../src/testing/index.ts';
import { protocol } from '../../src/protocols/postgresql/index.ts';
import { TestServer } from '../postgresql/server.ts';

let server: TestServer | undefined;

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
