import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Inbox, type InboxPort } from '../../src/client/inbox.ts';
import { Message } from '../../src/message/message.ts';
import type { Incoming } from '../../src/protocol/protocol.ts';
import { resolveSerializer } from '../../src/serializers/resolve.ts';

test('a batch of which nothing is a message does not hide what is behind it', async () => {
  const serializer = await resolveSerializer('JSON');
  const good = serializer.serialize(new Message({ from: 'a', to: 'b', content: 1 }));
  const batches: Incoming[][] = [[{ bytes: Buffer.from('{') }], [{ bytes: Buffer.from('[]') }], [{ bytes: good }]];
  let rejected = 0;
  const connection = { receive: () => batches.shift() ?? [] } as unknown as InboxPort['connection'];
  const inbox = new Inbox({ id: 'b', serializer, limit: 1000, connection, rejected: () => void rejected++ });
  await inbox.fill({ messages: 1, bytes: 1000 });
  assert.deepEqual(
    inbox.take().map(({ content }) => content),
    [1],
  );
  assert.equal(rejected, 2);
});

test('whoever joins a read that is under way finds what came after it had begun', async () => {
  const serializer = await resolveSerializer('JSON');
  const reads: ((batch: Incoming[]) => void)[] = [];
  const receive = (): Promise<Incoming[]> => new Promise((resolve) => reads.push(resolve));
  const connection = { receive } as unknown as InboxPort['connection'];
  const inbox = new Inbox({ id: 'b', serializer, limit: 1000, connection, rejected: () => undefined });
  const limit = { messages: 1, bytes: 1000 };
  const first = inbox.fill(limit);
  // Sent, and known to be delivered, while the first read is on its way.
  const bytes = serializer.serialize(new Message({ from: 'a', to: 'b', content: 1 }));
  const second = inbox.fill(limit);
  assert.equal(reads.length, 1);
  reads[0]?.([]);
  await first;
  reads[1]?.([{ bytes }]);
  await second;
  assert.equal(inbox.buffered, 1);
});

test('what a failed acknowledgement keeps is still in the order in which it came', async () => {
  const serializer = await resolveSerializer('JSON');
  const batch = [1, 2, 3].map((content): Incoming => {
    return { bytes: serializer.serialize(new Message({ from: 'a', to: 'b', content })), receipt: content };
  });
  const batches = [batch];
  const connection = { receive: () => batches.shift() ?? [] } as unknown as InboxPort['connection'];
  const inbox = new Inbox({ id: 'b', serializer, limit: 1000, connection, rejected: () => undefined });
  await inbox.fill({ messages: 3, bytes: 1000 });
  const messages = inbox.take();
  const gone = Promise.reject<void>(new Error('the server is gone'));
  const failing = inbox.withReceipts(messages.slice(0, 1), () => gone);
  assert.equal(inbox.unacknowledged, 2);
  await assert.rejects(failing, /the server is gone/);
  // As they are put back when the client leaves.
  assert.deepEqual(inbox.outstanding(), messages);
  const acknowledged: unknown[] = [];
  await inbox.withReceipts(messages, (receipts) => void acknowledged.push(...receipts));
  await inbox.withReceipts(messages, (receipts) => void acknowledged.push(...receipts));
  assert.deepEqual(acknowledged, [1, 2, 3]);
  assert.equal(inbox.unacknowledged, 0);
});
