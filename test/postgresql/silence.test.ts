/** A server that stops answering without a word. */
import { after, before } from 'node:test';
import { silenceTests } from '../sql-server/silence.ts';
import { TestServer } from './server.ts';

let server: TestServer;
before(async () => (server = await TestServer.start()));
after(() => server.stop());

silenceTests('PostgreSQL', () => server);
