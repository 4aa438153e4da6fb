import { runConformance } from '../../src/testing/index.ts';
import { protocol } from '../../src/protocols/sqlite/index.ts';

await runConformance({
  name: 'SQLite',
  protocol,
  childProtocol: `+${new URL('../../src/protocols/sqlite/index.ts', import.meta.url).href}`,
});
