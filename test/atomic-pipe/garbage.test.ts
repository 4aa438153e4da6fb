// What somebody else writes into a FIFO costs what stands beside it at most, and one complaint.
import assert from 'node:assert/strict';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { protocol } from '../../src/protocols/atomic-pipe/index.ts';
import type { Connection } from '../../src/protocol/protocol.ts';
import { storeOf } from '../fixtures/atomic-pipe-bus.ts';
import { framed } from '../fixtures/atomic-pipe-writer.ts';
import { connect, contents, everything, outgoing, Report } from '../fixtures/directory-bus.ts';

interface Scene {
  readonly report: Report;
  readonly rx: Connection;
  readonly tx: Connection;
  readonly write: (...bytes: Uint8Array[]) => void;
}

async function scene(t: TestContext): Promise<Scene> {
  const store = storeOf(t, protocol);
  const report = new Report();
  const rx = await connect(t, store, 'rx', { report });
  const tx = await connect(t, store, 'tx');
  const fd = openSync(`${store.route}/rx`, constants.O_WRONLY | constants.O_NONBLOCK);
  t.after(() => closeSync(fd));
  return { report, rx, tx, write: (...bytes) => void writeSync(fd, Buffer.concat(bytes)) };
}

const [message = Buffer.alloc(0)] = framed(Buffer.from(JSON.stringify({ a: 'message'.repeat(20) })), process.pid, 9);
const kinds: Readonly<Record<string, Buffer>> = {
  'a line of text': Buffer.from('somebody said: hello, pipe\n'),
  'one byte': Buffer.from('x'),
  'fifteen bytes': Buffer.alloc(15, 1),
  zeros: Buffer.alloc(500),
  'random bytes': Buffer.from(Array.from({ length: 3000 }, (_, n) => (n * n * 7919 + 13) % 251)),
  'the end of a chunk': message.subarray(5),
  'a header without its data': message.subarray(0, 16),
  'half a chunk': message.subarray(0, 60),
};

for (const [what, garbage] of Object.entries(kinds)) {
  test(`${what} alone in the pipe: told once, and what comes after is read`, async (t) => {
    const { report, rx, tx, write } = await scene(t);
    write(garbage);
    assert.deepEqual(await rx.receive(everything), []);
    assert.deepEqual(
      report.errors.map(({ code, client }) => `${code} ${client}`),
      ['IPCM_MALFORMED_MESSAGE rx'],
    );
    await tx.deliver('rx', outgoing('tx', 'rx', 1, 2));
    assert.deepEqual(contents(await rx.receive(everything)), [1, 2]);
    assert.equal(report.errors.length, 1);
    assert.equal(await rx.pending(), false);
  });

  test(`${what} between messages: those before it are read, and those after the pipe was empty`, async (t) => {
    const { report, rx, tx, write } = await scene(t);
    await tx.deliver('rx', outgoing('tx', 'rx', 'before'));
    write(garbage);
    await tx.deliver('rx', outgoing('tx', 'rx', 'after', 'and after'));
    const first = await rx.receive({ ...everything, messages: 1 });
    assert.deepEqual(contents(first), ['before']);
    await rx.receive(everything);
    await tx.deliver('rx', outgoing('tx', 'rx', 'later'));
    assert.deepEqual(contents(await rx.receive(everything)), ['later']);
    assert.ok(report.errors.length >= 1 && report.errors.length <= 2, String(report.errors));
  });
}

test('messages around garbage that cannot be a header are all read', async (t) => {
  const { report, rx, tx, write } = await scene(t);
  for (const n of [1, 2, 3]) {
    await tx.deliver('rx', outgoing('tx', 'rx', n));
    write(Buffer.from('torn\n'));
  }
  await tx.deliver('rx', outgoing('tx', 'rx', 4));
  assert.deepEqual(contents(await rx.receive(everything)), [1, 2, 3, 4]);
  assert.equal(report.errors.length, 3);
});
