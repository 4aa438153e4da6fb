import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipcmSpawn } from '../../src/index.ts';
import { ipcmServe } from '../../src/service/index.ts';
import { fieldsOf } from '../../src/testing/assertions.ts';
import { until } from '../../src/testing/until.ts';

const megabyte = 'x'.repeat(1 << 20);

test('a service that waits for an answer reads everything, holds what it has memory for, and refuses the rest', async () => {
  await using bus = await ipcmSpawn({ protocol: 'LocalMemory', sanityCheck: false });
  const [peer, plain] = [await bus.connect('peer'), await bus.connect('plain')];
  let handled = 0;
  const left: unknown[] = [];
  const { service, ended } = await ipcmServe('proxy', bus, {
    concurrency: 1,
    async handleRequest(_, { service: self }) {
      handled++;
      return self.peer('peer').request('anything');
    },
    onUnhandled: ({ content }) => void left.push(content),
  });
  const count = 100;
  for (let n = 0; n < count; n++) {
    await plain.sendMessage('proxy', { ipcm_request_id: String(n), request: megabyte });
  }
  const refused = new Set<string>();
  const answered = new Set<string>();
  const take = async (): Promise<void> => {
    for (const { content } of await plain.getMessages({ timeout: 10_000 })) {
      const { ipcm_response_id: id, ipcm_error_code: code } = content as Record<string, string>;
      if (code === undefined) answered.add(String(id));
      else if (code === 'IPCM_REQUEST_REFUSED') refused.add(String(id));
      else assert.fail(code);
    }
  };
  await take();
  await plain.sendMessage('proxy', 'there is no memory for this either');
  await until('it has been told', () => left.length === 1);
  assert.equal(handled, 1);
  for await (const { content } of peer.messages()) {
    const { ipcm_request_id: id } = content as Record<string, string>;
    await peer.sendMessage('proxy', { ipcm_response_id: id, response: 'found' });
    await take();
    if (answered.size + refused.size === count) break;
  }
  assert.ok(refused.size > 20 && answered.size > 50, `${refused.size} refused, ${answered.size} answered`);
  assert.equal(handled, answered.size);
  service.end();
  await ended;
  for (const client of [peer, plain]) await client.disconnect(() => undefined);
});

test('a refusal that a service gets is not passed on as one of its own', async () => {
  await using bus = await ipcmSpawn({ protocol: 'LocalMemory', sanityCheck: false });
  const { service, ended } = await ipcmServe('front', bus, {
    exposeErrorDetails: true,
    handleRequest: async (_, { service: self }) => self.peer('back').request('anything'),
    onError: () => undefined,
  });
  const [back, plain] = [await bus.connect('back'), await bus.connect('plain')];
  await plain.sendMessage('front', { ipcm_request_id: '1', request: null });
  const [asked] = await back.getMessages({ timeout: 10_000 });
  const { ipcm_request_id: id } = fieldsOf(asked);
  const refusal = { ipcm_response_id: id, response: null, ipcm_error: 'no', ipcm_error_code: 'IPCM_REQUEST_REFUSED' };
  await back.sendMessage('front', refusal);
  const [answer] = await plain.getMessages({ timeout: 10_000 });
  const { ipcm_error: text, ipcm_error_code: code } = fieldsOf(answer);
  assert.match(String(text), /answered with an error: no/);
  assert.equal(code, undefined);
  service.end();
  await ended;
  for (const client of [back, plain]) await client.disconnect(() => undefined);
});
