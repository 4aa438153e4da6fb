/** Several hosts on one database. */
import { after, before } from 'node:test';
import { hostTests } from '../sql-server/hosts.ts';
import { TestServer } from './server.ts';

let server: TestServer;
before(async () => (server = await TestServer.start()));
after(() => server.stop());

hostTests(() => server);
