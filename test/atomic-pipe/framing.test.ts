// Chunks out of messages and back, whatever the order of writers and however the reads are cut.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { readProcStat } from '../../src/liveness/identity.ts';
import { mostData } from '../../src/protocols/atomic-pipe/chunk.ts';
import { ChunkReader } from '../../src/protocols/atomic-pipe/chunk-reader.ts';
import { Packer, type Packable } from '../../src/protocols/atomic-pipe/packer.ts';
import { Reassembly } from '../../src/protocols/atomic-pipe/reassembly.ts';
import { until } from '../../src/testing/until.ts';
import { framed } from '../fixtures/atomic-pipe-writer.ts';

/** Reads a stream, `readSize` bytes at a time; returns the messages and the complaints. */
function read(stream: Uint8Array, readSize = 65_536, limit = 1 << 20): { whole: Buffer[]; told: string[] } {
  const told: string[] = [];
  const whole: Buffer[] = [];
  let at = 0;
  const source = {
    read(buffer: Uint8Array, offset: number, length: number) {
      const piece = stream.subarray(at, at + length);
      buffer.set(piece, offset);
      at += piece.length;
      return piece.length;
    },
    garbage: (bytes: number) => void told.push(`garbage ${bytes}`),
  };
  const chunks = new ChunkReader(source, Infinity, readSize);
  const reassembly = new Reassembly(limit, {
    tooLarge: (pid) => told.push(`too large ${pid}`),
    torn: (pid, bytes) => told.push(`torn ${pid} ${bytes}`),
  });
  while (chunks.next()) {
    const message = reassembly.add(chunks.pid, chunks.tid, chunks.part, chunks.data);
    // Not a copy: what is handed out must stay as it is while reading goes on.
    if (message !== undefined) whole.push(Buffer.from(message.buffer, message.byteOffset, message.length));
  }
  return { whole, told };
}

/** The writes of a packer. */
function writes(messages: readonly Uint8Array[], pid: number, tid: number): Buffer[] {
  return writesOf(
    messages.map((bytes) => ({ bytes })),
    pid,
    tid,
  );
}

function writesOf(packable: readonly Packable[], pid: number, tid: number, parts?: number): Buffer[] {
  const packer = new Packer(pid, tid, parts);
  const all: Buffer[] = [];
  for (let index = 0, at = 0; index < packable.length; index = packer.next, at = packer.at) {
    const length = packer.fill(packable, index, at);
    all.push(Buffer.from(packer.source.subarray(packer.start, packer.start + length)));
  }
  return all;
}

/** The same messages behind each other in one buffer, with room for a header before each and gaps where told. */
function placed(messages: readonly Uint8Array[], gaps: readonly number[]): Packable[] {
  const room = messages.reduce((sum, { length }, n) => sum + 16 + length + (gaps[n] ?? 0), 0);
  const buffer = Buffer.alloc(room, 0xee);
  let end = 0;
  return messages.map((bytes, n) => {
    const place = { buffer, at: end + 16 + (gaps[n] ?? 0), size: bytes.length };
    buffer.set(bytes, place.at);
    end = place.at + place.size;
    return { bytes: buffer.subarray(place.at, end), place };
  });
}

const message = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc
    .integer({ min: 3900, max: 13_000 })
    .map((size) => Uint8Array.from({ length: size }, (_, n) => (n * 7 + size) % 256)),
);

/** Puts the writes of several writers into one order that keeps each writer's own. */
function interleave(all: readonly (readonly Buffer[])[], choices: readonly number[]): Buffer[] {
  const queues = all.map((list) => [...list]);
  const merged: Buffer[] = [];
  for (let n = 0; queues.some((queue) => queue.length > 0); n++) {
    const open = queues.filter((queue) => queue.length > 0);
    const next = open[(choices[n % Math.max(1, choices.length)] ?? 0) % open.length]?.shift();
    if (next !== undefined) merged.push(next);
  }
  return merged;
}

test('every message comes out as it went in, in order, whoever writes in between and wherever reads are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(message, { maxLength: 8 }), { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(9), { minLength: 1, maxLength: 20 }),
      fc.boolean(),
      fc.integer({ min: 1, max: 9000 }),
      (writers, choices, sameProcess, readSize) => {
        const pid = (index: number): number => (sameProcess ? 77 : 100 + index);
        const packed = writers.map((messages, index) => writes(messages, pid(index), index));
        for (const write of packed.flat()) assert.ok(write.length <= 4096);
        const { whole, told } = read(Buffer.concat(interleave(packed, choices)), readSize);
        assert.deepEqual(told, []);
        const key = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
        assert.deepEqual(whole.map(key).sort(), writers.flat().map(key).sort());
        if (writers.length === 1) assert.deepEqual(whole.map(key), writers[0]?.map(key));
      },
    ),
    { numRuns: 150 },
  );
});

test('chunks of any size are put together, as another writer may cut them', () => {
  fc.assert(
    fc.property(
      fc.array(message, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 40, max: mostData }),
      (messages, most) => {
        const { whole, told } = read(Buffer.concat(messages.flatMap((bytes) => framed(bytes, 5, 6, most))));
        assert.deepEqual(told, []);
        assert.deepEqual(
          whole.map((bytes) => bytes.toString('hex')),
          messages.map((bytes) => Buffer.from(bytes).toString('hex')),
        );
      },
    ),
    { numRuns: 60 },
  );
});

test('a packer fills writes with whole chunks of many messages, and gives a long part a write of its own', () => {
  const short = Array.from({ length: 100 }, () => Buffer.alloc(100));
  assert.deepEqual(
    writes(short, 1, 1).map(({ length }) => length),
    [35 * 116, 35 * 116, 30 * 116],
  );
  const sizes = writes([Buffer.alloc(10), Buffer.alloc(9000), Buffer.alloc(10)], 1, 1).map(({ length }) => length);
  assert.deepEqual(sizes, [26, 4096, 4096, 16 + 840 + 26]);
  assert.deepEqual(
    writes([Buffer.alloc(0)], 1, 1).map(({ length }) => length),
    [16],
  );
  assert.equal(writes([Buffer.alloc(4080)], 1, 1).length, 1);
});

test('several parts of a long message go into one write, the chunks of which are the same', () => {
  const long = Buffer.from(Array.from({ length: 40_000 }, (_, n) => n % 251));
  const messages = [Buffer.alloc(100), long, Buffer.alloc(4081), Buffer.alloc(10)].map((bytes) => ({ bytes }));
  const few = writesOf(messages, 1, 1);
  const many = writesOf(messages, 1, 1, 4);
  assert.deepEqual(Buffer.concat(many), Buffer.concat(few));
  assert.deepEqual(
    many.map(({ length }) => length),
    [116, 4 * 4096, 4 * 4096, 4096, 16 + (40_000 - 9 * 4080), 4096, 16 + 1 + 16 + 10],
  );
});

test('a message that was given back is written over by the next, and not before', () => {
  const reassembly = new Reassembly(1 << 20, { tooLarge: () => assert.fail(), torn: () => assert.fail() });
  const message = (byte: number): Uint8Array => {
    reassembly.add(1, 1, 1, Buffer.alloc(4080, byte));
    return reassembly.add(1, 1, 0, Buffer.alloc(4080, byte)) ?? assert.fail('no message');
  };
  const [first, second] = [message(1), message(2)];
  assert.equal(first[0], 1);
  reassembly.recycle();
  const third = message(3);
  assert.ok(third.buffer === first.buffer || third.buffer === second.buffer);
});

test('a message over the limit is told once and costs nothing else', () => {
  const stream = [
    ...framed(Buffer.alloc(5000), 3, 1),
    ...framed(Buffer.from('next'), 3, 1),
    ...framed(Buffer.alloc(1001), 4, 1),
  ];
  const { whole, told } = read(Buffer.concat(stream), undefined, 1000);
  assert.deepEqual(whole.map(String), ['next']);
  assert.deepEqual(told, ['too large 3', 'too large 4']);
});

test('a pipe that never becomes empty, of chunks or of garbage, is left alone after some of it', () => {
  for (const piece of [framed(Buffer.alloc(9000), 1, 1)[0] ?? Buffer.alloc(0), Buffer.alloc(4096, 0xff)]) {
    let given = 0;
    const endless = {
      read(buffer: Uint8Array, offset: number, length: number) {
        const whole = length - (length % piece.length);
        for (let at = 0; at < whole; at += piece.length) buffer.set(piece, offset + at);
        given += whole;
        return length < piece.length ? 0 : whole;
      },
      garbage: () => undefined,
    };
    const chunks = new ChunkReader(endless, 100_000, 16 * piece.length);
    for (const most of [200_000, 400_000]) {
      chunks.begin();
      while (chunks.next());
      assert.equal(chunks.isEmpty, false);
      assert.ok(given > most / 4 && given < most, `${given} bytes`);
    }
  }
});

test('who begins another message has given up the one before', () => {
  const [first = Buffer.alloc(0)] = framed(Buffer.alloc(9000), 3, 1);
  for (const next of [Buffer.from('short'), Buffer.alloc(20_000, 1)]) {
    const { whole, told } = read(Buffer.concat([first, ...framed(next, 3, 1)]));
    assert.deepEqual(whole, [next]);
    assert.deepEqual(told, ['torn 3 4080']);
  }
});

test('messages in the making are bounded in number and in sum', () => {
  const torn: number[] = [];
  const limit = 10_000;
  const reassembly = new Reassembly(limit, { tooLarge: () => assert.fail(), torn: (pid) => torn.push(pid) });
  for (let tid = 0; tid < 3000; tid++) reassembly.add(9, tid, 1, Buffer.alloc(20));
  assert.ok(torn.length >= 3000 - 1024, `${torn.length} dropped`);
  const before = torn.length;
  for (let tid = 5000; tid < 5100; tid++) reassembly.add(8, tid, 1, Buffer.alloc(4080));
  assert.ok(torn.length > before);
});

test('messages that come on are kept, however many and large, and take no memory ahead of what has come', () => {
  const limit = 1_000_000;
  const reassembly = new Reassembly(limit, { tooLarge: () => assert.fail(), torn: () => assert.fail() });
  const parts = 245;
  const senders = 100;
  const before = process.memoryUsage().arrayBuffers;
  for (let tid = 0; tid < senders; tid++) reassembly.add(process.pid, tid, parts - 1, Buffer.alloc(4080));
  const grown = process.memoryUsage().arrayBuffers - before;
  assert.ok(grown < senders * 300_000, `${grown} bytes for a part of each`);
  let whole = 0;
  for (let part = parts - 2; part >= 0; part--) {
    for (let tid = 0; tid < senders; tid++) {
      const message = reassembly.add(process.pid, tid, part, Buffer.alloc(4080, tid));
      if (message !== undefined) whole++;
      assert.ok(message === undefined || (message.length === parts * 4080 && message.at(-1) === tid));
    }
  }
  assert.equal(whole, senders);
});

test('what a living writer has left in its midst is dropped after long, told, and what still comes of it skipped', async () => {
  const torn: unknown[] = [];
  const reassembly = new Reassembly(10_000, { tooLarge: () => assert.fail(), torn: (...told) => torn.push(told) }, 50);
  reassembly.add(process.pid, 1, 2, Buffer.alloc(4080));
  reassembly.emptied();
  assert.deepEqual([torn.length, reassembly.begun], [0, true]);
  await until('it is dropped', () => {
    reassembly.emptied();
    return torn.length > 0;
  });
  assert.deepEqual(torn, [[process.pid, 4080, 'its writer has not gone on for long']]);
  assert.deepEqual([reassembly.incomplete(), reassembly.begun], [false, false]);
  for (const part of [1, 0]) assert.equal(reassembly.add(process.pid, 1, part, Buffer.alloc(4080)), undefined);
  assert.equal(String(reassembly.add(process.pid, 1, 0, Buffer.from('next'))), 'next');
});

test('a writer that is stopped has not given up', async (t) => {
  const child = spawn('sleep', ['60']);
  t.after(() => child.kill('SIGKILL'));
  const { pid = 0 } = child;
  child.kill('SIGSTOP');
  await until('it is stopped', () => readProcStat(pid)?.state === 'T');
  const reassembly = new Reassembly(10_000, { tooLarge: () => assert.fail(), torn: () => assert.fail() }, 10);
  reassembly.add(pid, 1, 1, Buffer.alloc(4080, 1));
  for (let round = 0; round < 5; round++) {
    await sleep(15);
    reassembly.emptied();
  }
  assert.equal(reassembly.add(pid, 1, 0, Buffer.alloc(4080, 1))?.length, 2 * 4080);
});

test('messages that lie behind each other are written from where they are, as the same bytes', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 40 }), fc.array(fc.constantFrom(0, 0, 0, 5)), (messages, gaps) => {
      const inPlace = writesOf(placed(messages, gaps), 4711, 42);
      assert.deepEqual(Buffer.concat(inPlace), Buffer.concat(writes(messages, 4711, 42)));
      for (const write of inPlace) assert.ok(write.length <= 4096);
    }),
  );
});
