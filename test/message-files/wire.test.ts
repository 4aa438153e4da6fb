/** A route that the reference wrote: test/wire/message-files.tar. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { connect, everything, folder, messageOf, open, outgoing, Report } from '../fixtures/directory-bus.ts';

const wire = join(import.meta.dirname, '../wire');
const long = `service/with a very long name ${'n'.repeat(220)}`;

function recorded(t: TestContext): string {
  const route = folder(t);
  execFileSync('tar', ['xf', join(wire, 'message-files.tar'), '-C', route]);
  return route;
}

/** The recording with pid files of a living process. */
function living(t: TestContext): string {
  const route = recorded(t);
  for (const file of readdirSync(route)) {
    if (file.endsWith('.pid')) writeFileSync(join(route, file), String(process.ppid));
  }
  return route;
}

interface Wire {
  readonly id: string;
  readonly content: unknown;
}
const messages = JSON.parse(readFileSync(join(wire, 'messages.json'), 'utf8')) as Wire[];

test('peers, deadline and statistics are read', (t) => {
  const store = open(living(t));
  const peers = store.peers().sort((a, b) => (a.name < b.name ? -1 : 1));
  assert.deepEqual(
    peers.map(({ name, state, identity }) => [name, state, identity?.pid]),
    [
      ['h-looks-hashed', 'active', process.ppid],
      ['plain', 'active', process.ppid],
      ['rx', 'active', process.ppid],
      [long, 'suspended', undefined],
      ['tx', 'active', process.ppid],
    ],
  );
  assert.equal(store.peer(long)?.expiresAt, 1_900_000_000.5);
  assert.equal(store.peer('h-looks-hashed')?.state, 'active');
  assert.equal(store.stats().get('tx')?.sent.get('rx'), 17);
  assert.equal(store.stats().get('tx')?.sent.get(long), 1);
  assert.ok(store.stats().has('h-looks-hashed'));
});

test('waiting messages are counted and listed, requeued ones first, in the order of their stamps', (t) => {
  const store = open(living(t));
  assert.equal(store.waiting('rx'), messages.length + 2);
  const unread = store.unread('rx', 100);
  assert.equal(unread.length, messages.length + 2);
  assert.deepEqual(
    unread.slice(2).map(({ id }) => id),
    messages.map(({ id }) => id),
  );
  assert.equal(store.unread('rx', 3).length, 3);
  assert.equal(store.waiting(long), 1);
  assert.equal(store.waiting('plain'), 0);
  assert.equal(store.waiting('nobody'), 0);
  assert.deepEqual(store.unread('nobody', 5), []);
});

for (const acknowledge of [false, true]) {
  test(`the reference's messages are received by who continues its client (acknowledge: ${acknowledge})`, async (t) => {
    const route = recorded(t);
    const rx = await connect(t, open(route), 'rx', { mode: 'reconnect', acknowledge });
    assert.ok(!existsSync(join(route, 'rx.resume')));
    const incoming = await rx.receive(everything);
    const received = incoming.map(messageOf);
    assert.equal(received.length, messages.length + 2);
    assert.deepEqual(
      received.slice(2).map(({ id, content }) => [id, content]),
      messages.map(({ id, content }) => [id, content]),
    );
    if (acknowledge) await rx.acknowledge(incoming.map(({ receipt }) => receipt));
    assert.deepEqual(readdirSync(join(route, 'rx')), []);
  });
}

test('its suspended client can be continued, until its deadline, and written to', async (t) => {
  const route = living(t);
  const store = open(route);
  const me = await connect(t, store, 'me');
  assert.equal((await me.deliver(long, outgoing('me', long, 'hello'))).taken, 1);
  assert.equal((await me.deliver('plain', outgoing('me', 'plain', 'hello'))).taken, 1);
  const again = await connect(t, store, long, { mode: 'reconnect' });
  const received = (await again.receive(everything)).map(messageOf);
  assert.equal(received.length, 2);
  assert.equal(received[1]?.content, 'hello');
  await again.disconnect();
  assert.equal(store.peer(long), undefined);
});

test('its dead clients are not listed as living, are reaped with everything of theirs, and the rest stays', async (t) => {
  const route = recorded(t);
  for (const file of readdirSync(route)) if (file.endsWith('.pid')) writeFileSync(join(route, file), '2147483647');
  const store = open(route);
  assert.equal(store.peer('rx')?.state, 'dead');
  const reaped = store.reap();
  assert.deepEqual(reaped.map(({ name, lost }) => `${name} ${lost}`).sort(), [
    'h-looks-hashed 0',
    'plain 0',
    `rx ${messages.length + 2}`,
    'tx 0',
  ]);
  assert.deepEqual(
    store
      .reaped()
      .map(({ name }) => name)
      .sort(),
    reaped.map(({ name }) => name).sort(),
  );
  assert.deepEqual(
    store.peers().map(({ name }) => name),
    [long],
  );
  assert.deepEqual(
    readdirSync(route).filter((file) => !file.startsWith('h-e98347')),
    ['.ipcm'],
  );
  const report = new Report();
  await connect(t, store, 'rx', { report });
  assert.deepEqual(report.dead, []);
});
