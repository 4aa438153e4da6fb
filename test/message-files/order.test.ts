/** The order per sender, while a directory too large for one system call is read and written at the same time. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { uuidAt } from '../../src/message/id.ts';
import { Inbox } from '../../src/protocols/message-files/inbox.ts';
import { nameBound, nextName, requeuedName } from '../../src/protocols/message-files/names.ts';
import { child, connect, everything, folder, messageOf, outgoing, store } from '../fixtures/directory-bus.ts';

const backlog = 10_000;

for (const root of ['/tmp', '/dev/shm']) {
  test(`three senders' order holds in ${root}`, { timeout: 60_000 }, async (t) => {
    const on = store(t, root);
    const rx = await connect(t, on, 'rx', { acknowledge: true });
    // Many files that are read and not acknowledged make every scan take dozens of system calls; links cost the least.
    const first = join(on.route, 'first');
    writeFileSync(first, outgoing('old', 'rx', 'old')[0]?.bytes ?? '');
    for (let n = 0; n < backlog; n++) linkSync(first, join(on.route, 'rx', nextName()));
    for (let held = 0; held < backlog;) held += (await rx.receive(everything)).length;
    const senders = await Promise.all([1, 2, 3].map(() => child(t, on.route)));
    const each = 1000;
    await Promise.all(senders.map((one, index) => one.do('connect', `tx${index}`)));
    const sent = Promise.all(senders.map((one, index) => one.do('send', `tx${index}`, 'rx', each)));
    const next = new Map<string, number>();
    for (let got = 0; got < each * senders.length;) {
      const batch = await rx.receive(everything);
      for (const message of batch.map(messageOf)) {
        assert.equal(message.content, next.get(message.from) ?? 0, message.from);
        next.set(message.from, Number(message.content) + 1);
      }
      await rx.acknowledge(batch.map(({ receipt }) => receipt));
      got += batch.length;
    }
    assert.deepEqual(
      (await sent).map(({ result }) => result),
      [each, each, each],
    );
  });
}

test(
  'a sender of the reference, with names that say nothing, keeps its order as well',
  { timeout: 60_000 },
  async (t) => {
    const on = store(t);
    const rx = await connect(t, on, 'rx');
    const inbox = join(on.route, 'rx');
    let sent = 0;
    let expected = 0;
    const total = 4000;
    while (expected < total) {
      for (let burst = 0; burst < 300 && sent < total; burst++, sent++) {
        const name = join(inbox, randomUUID());
        writeFileSync(`${name}.pend`, outgoing('perl', 'rx', sent)[0]?.bytes ?? '');
        renameSync(`${name}.pend`, `${name}.ready`);
      }
      for (const message of (await rx.receive({ messages: 170, bytes: 1 << 30 })).map(messageOf)) {
        assert.equal(message.content, expected++);
      }
    }
    assert.deepEqual(await rx.receive(everything), []);
  },
);

test('of a large scan only what was there before it is taken, the rest by the next', (t) => {
  const path = folder(t);
  const put = (name: string): void => writeFileSync(join(path, name), '');
  const inbox = new Inbox(() => path, { skip: () => false, stamp: () => undefined });
  for (let n = 0; n < 40; n++) put(`${uuidAt((Date.now() - 1000 + n) * 1000)}.ready`);
  const late = `${uuidAt((Date.now() + 60_000) * 1000)}.ready`;
  put(late);
  const taken: string[] = [];
  for (let name = inbox.next(true); name !== undefined; name = inbox.next(false)) taken.push(name);
  assert.equal(taken.length, 40);
  assert.equal(inbox.next(true)?.slice(0, 8), taken[0]?.slice(0, 8));
  inbox.rescan();
  const again: string[] = [];
  for (let name = inbox.next(true); name !== undefined; name = inbox.next(false)) again.push(name);
  assert.equal(again.at(-1), late);
});

test("a clock behind its senders' delays nothing for long", (t) => {
  const path = folder(t);
  const inbox = new Inbox(() => path, { skip: () => false, stamp: () => undefined });
  for (let n = 0; n < 40; n++) writeFileSync(join(path, `${uuidAt((Date.now() + 3_600_000 + n) * 1000)}.ready`), '');
  assert.notEqual(inbox.next(true), undefined);
  const others = new Inbox(() => join(path, 'others'), { skip: () => false, stamp: () => undefined });
  mkdirSync(join(path, 'others'));
  for (let n = 0; n < 40; n++) {
    const file = join(path, 'others', `${randomUUID()}.ready`);
    writeFileSync(file, '');
    utimesSync(file, Date.now() / 1000 + 3600, Date.now() / 1000 + 3600);
  }
  assert.notEqual(others.next(true), undefined);
});

test('names rise, bounds lie between, and what is put back comes first', () => {
  let last = '';
  for (let n = 0; n < 5000; n++) {
    const name = nextName();
    assert.ok(name > last);
    last = name;
  }
  const now = Date.now() + 10;
  assert.ok(uuidAt((now - 1) * 1000 + 999) < nameBound(now) && nameBound(now) < uuidAt(now * 1000));
  assert.ok(requeuedName() < requeuedName());
  assert.ok(requeuedName() < uuidAt((Date.now() - 1e9) * 1000));
});
