import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { Message } from '../../src/message/message.ts';
import { FrameReader } from '../../src/protocols/connection-unix/frames.ts';
import { everything, messageOf, serializer } from '../fixtures/directory-bus.ts';
import { entryPath, rawConnection, write } from '../fixtures/connection-unix-raw.ts';
import { joined, unixStore, until } from '../fixtures/connection-unix-bus.ts';

const wire = join(import.meta.dirname, '../wire');
const recording = readFileSync(join(wire, 'connection-unix.bin'));
const messages = JSON.parse(readFileSync(join(wire, 'messages.json'), 'utf8')) as Record<string, unknown>[];

function framesOf(bytes: Buffer): unknown[] {
  const found: unknown[] = [];
  const frame = (body: Uint8Array): void => void found.push(JSON.parse(Buffer.from(body).toString()));
  new FrameReader(1e6, { frame, refused: () => assert.fail('refused') }).push(bytes);
  return found;
}

const bare = ({ id, from, to, content }: Record<string, unknown>): unknown => ({ id, from, to, content });

for (const piece of [1, 3, 1000, recording.length]) {
  test(`the recording is received to the byte, written ${piece} bytes at a time`, async (t) => {
    const store = unixStore(t);
    const rx = await joined(t, store, 'rx');
    const socket = await rawConnection(store.route, 'rx');
    for (let at = 0; at < recording.length; at += piece) await write(socket, recording.subarray(at, at + piece));
    const received: Message[] = [];
    await until('all of it was received', () => {
      void Promise.resolve(rx.receive(everything)).then((some) => received.push(...some.map(messageOf)));
      return received.length >= messages.length;
    });
    assert.deepEqual(
      received.map(({ id, from, to, content }) => ({ id, from, to, content })),
      messages.map(bare),
    );
    assert.ok(rx.links.hasConnection('tx'));
    socket.destroy();
  });
}

test('what is written is the hello, then messages, as the recording has them', async (t) => {
  const store = unixStore(t);
  const tx = await joined(t, store, 'tx');
  const chunks: Buffer[] = [];
  const server = createServer((socket: Socket) => socket.on('data', (chunk: Buffer) => chunks.push(chunk)));
  await once(server.listen(entryPath(store.route, 'rx')), 'listening');
  t.after(() => server.close());
  const [hello, ...recorded] = framesOf(recording) as Record<string, unknown>[];
  const batch = recorded.map((fields) => {
    const message = Message.fromWire(fields);
    return { message, bytes: serializer.serialize(message) };
  });
  assert.equal((await tx.deliver('rx', batch.slice(0, 5))).taken, 5);
  assert.equal((await tx.deliver('rx', batch.slice(5))).taken, batch.length - 5);
  let written: unknown[] = [];
  await until('all of it has come', () => (written = framesOf(Buffer.concat(chunks))).length > messages.length);
  assert.deepEqual(written[0], hello);
  assert.deepEqual(
    written.slice(1).map((one) => bare(one as Record<string, unknown>)),
    messages.map(bare),
  );
  tx.closeSync();
});

test('a client is reached over the connection that it opened itself', async (t) => {
  const store = unixStore(t);
  const rx = await joined(t, store, 'rx');
  const socket = await rawConnection(store.route, 'rx');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await write(socket, recording);
  await until('it is known', () => rx.links.hasConnection('tx'));
  const message = new Message({ from: 'rx', to: 'tx', content: 'answer' });
  assert.deepEqual(await rx.deliver('tx', [{ message, bytes: serializer.serialize(message) }]), { taken: 1 });
  await until('it has come', () => framesOf(Buffer.concat(chunks)).length === 1);
  const [answer] = framesOf(Buffer.concat(chunks)) as { content: unknown }[];
  assert.equal(answer?.content, 'answer');
  socket.destroy();
});
