/** A child process: makes the store and takes the name, at the same moment as others. */
import { once } from 'node:events';
import { ownIdentity } from '../../src/liveness/identity.ts';
import { protocol } from '../../src/protocols/postgresql/index.ts';
import json from '../../src/serializers/json.ts';

const [route = ''] = process.argv.slice(2);
const options = { serializer: json.create({}), limits: { maxMessageBytes: 1 << 20 }, protocolOptions: {} };
process.send?.('ready');
await once(process, 'message');
let outcome: unknown = 'taken';
try {
  const store = await protocol.create({ ...options, route, owner: ownIdentity(), guard: false });
  const report = { rejected: () => undefined, reaped: () => undefined };
  await store.connect({ name: 'one', mode: 'connect', identity: ownIdentity(), acknowledge: false, report });
} catch (error) {
  outcome = (error as { code?: unknown }).code;
}
process.send?.(outcome);
await once(process, 'message');
process.exit(0);
