/** What holds on both servers; each of the two test files runs it on its own. */
import { after, before, describe, test } from 'node:test';
import { hostTests } from '../sql-server/hosts.ts';
import { restartTests } from '../sql-server/restart.ts';
import { silenceTests } from '../sql-server/silence.ts';
import { unknownTests } from '../sql-server/unknown.ts';
import { backlogTests } from './backlog.ts';
import { defaultSocketTests } from './default-socket.ts';
import { faultTests } from './faults.ts';
import { handleTests } from './handles.ts';
import { packetTests } from './packets.ts';
import { pipelineTests } from './pipelines.ts';
import { planTests } from './plans.ts';
import { privateTests } from './private.ts';
import { missing, TestServer, type Kind, type Served } from './server.ts';
import { wireTests } from './wire.ts';

/** Registers the tests. */
export function familyTests(kind: Kind): void {
  const reason = missing(kind);
  if (reason !== undefined) {
    test(`${kind}, on servers`, { skip: reason }, () => undefined);
    return;
  }
  describe(`${kind}, on a server`, () => {
    let server: TestServer | undefined;
    const served: Served = () => {
      if (server === undefined) throw new Error('the server does not run');
      return server;
    };
    before(async () => {
      server = await TestServer.start(kind);
    });
    after(async () => server?.stop());
    wireTests(served);
    planTests(served);
    faultTests(served);
    unknownTests(served);
    pipelineTests(served);
    packetTests(served);
    hostTests(served);
    silenceTests(kind, served);
    restartTests(kind);
    defaultSocketTests(served);
    handleTests(served);
    backlogTests(served);
  });
  describe(`${kind}, private`, () => privateTests(kind));
}
