/** What the reference wrote, to the byte: test/wire/atomic-pipe. */
import assert from 'node:assert/strict';
import { closeSync, constants, lstatSync, openSync, readdirSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Packer } from '../../src/protocols/atomic-pipe/packer.ts';
import { protocol } from '../../src/protocols/atomic-pipe/index.ts';
import { storeOf } from '../fixtures/atomic-pipe-bus.ts';
import { connect, everything, messageOf, outgoing, Report } from '../fixtures/directory-bus.ts';

const wire = join(import.meta.dirname, '../wire');
const files = readdirSync(join(wire, 'atomic-pipe'))
  .filter((file) => file.endsWith('.bin'))
  .sort();
const recordings = files.map((file) => readFileSync(join(wire, 'atomic-pipe', file)));
const origin = JSON.parse(readFileSync(join(wire, 'atomic-pipe/origin.json'), 'utf8')) as { pid: number; tid: number };
const messages = JSON.parse(readFileSync(join(wire, 'messages.json'), 'utf8')) as { id: string; content: unknown }[];

test('the recordings are read, each alone and all at once', async (t) => {
  const store = storeOf(t, protocol);
  const report = new Report();
  const rx = await connect(t, store, 'rx', { report });
  const fd = openSync(`${store.route}/rx`, constants.O_WRONLY | constants.O_NONBLOCK);
  t.after(() => closeSync(fd));
  const expected = messages.map(({ id, content }) => [id, content]);
  const read = async (): Promise<unknown[]> =>
    (await rx.receive(everything)).map(messageOf).map(({ id, content }) => [id, content]);
  for (const [n, recording] of recordings.entries()) {
    writeSync(fd, recording);
    assert.deepEqual(await read(), [expected[n]], files[n]);
  }
  for (const recording of recordings) writeSync(fd, recording);
  assert.deepEqual(await read(), expected);
  assert.deepEqual(report.errors, []);
});

test('the same bytes are written for the same message', () => {
  for (const [n, recording] of recordings.entries()) {
    const parts: Buffer[] = [];
    const data: Buffer[] = [];
    for (let at = 0; at < recording.length;) {
      const size = recording.readUInt32LE(at + 12);
      data.push(recording.subarray(at + 16, at + 16 + size));
      at += 16 + size;
    }
    const packer = new Packer(origin.pid, origin.tid);
    const work = [{ bytes: Buffer.concat(data) }];
    for (let index = 0, at = 0; index < work.length; index = packer.next, at = packer.at) {
      const length = packer.fill(work, index, at);
      parts.push(Buffer.from(packer.source.subarray(packer.start, packer.start + length)));
    }
    assert.deepEqual(Buffer.concat(parts), recording, files[n]);
  }
});

test('an entry is a FIFO of mode 0700, or of the mode asked for, whatever the umask', async (t) => {
  const before = process.umask(0o077);
  t.after(() => process.umask(before));
  const store = storeOf(t, protocol);
  await connect(t, store, 'rx');
  const state = lstatSync(`${store.route}/rx`);
  assert.ok(state.isFIFO());
  assert.equal(state.mode & 0o777, 0o700);
  assert.match(readFileSync(`${store.route}/rx.pid`, 'latin1'), new RegExp(`^${process.pid}\n`));
  const other = storeOf(t, protocol, { permissions: 0o660 });
  await connect(t, other, 'rx');
  assert.equal(lstatSync(`${other.route}/rx`).mode & 0o777, 0o660);
});

test('options that make no sense are refused', (t) => {
  for (const permissions of ['0700', 0o200, 0o7700, 0.5, -1]) {
    assert.throws(() => storeOf(t, protocol, { permissions }), { code: 'IPCM_INVALID_OPTION' });
  }
  for (const spin of ['50', -1, 1e9, Number.NaN]) {
    assert.throws(() => storeOf(t, protocol, { spin }), { code: 'IPCM_INVALID_OPTION' });
  }
});

test('a header is the pid, a tid of the connection, the parts that follow, and the size', async (t) => {
  const store = storeOf(t, protocol);
  const tids = new Set<number>();
  for (const name of ['one', 'two']) {
    const peer = await connect(t, store, `to-${name}`);
    const tx = await connect(t, store, name);
    const out = outgoing(name, `to-${name}`, 'x'.repeat(5000));
    await tx.deliver(`to-${name}`, out);
    // Before its reader does.
    const fd = openSync(`${store.route}/to-${name}`, constants.O_RDONLY | constants.O_NONBLOCK);
    const bytes = Buffer.alloc(1 << 16);
    const length = readSync(fd, bytes);
    closeSync(fd);
    assert.equal(length, 32 + (out[0]?.bytes.length ?? 0));
    assert.deepEqual([bytes.readInt32LE(0), bytes.readUInt32LE(8), bytes.readUInt32LE(12)], [process.pid, 1, 4080]);
    assert.equal(bytes.readUInt32LE(4096 + 8), 0);
    assert.equal(bytes.readInt32LE(4), bytes.readInt32LE(4096 + 4));
    tids.add(bytes.readInt32LE(4));
    await peer.disconnect();
  }
  assert.equal(tids.size, 2);
});
