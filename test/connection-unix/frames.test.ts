import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Message } from '../../src/message/message.ts';
import { FrameReader } from '../../src/protocols/connection-unix/frames.ts';
import { Packer } from '../../src/protocols/connection-unix/pack.ts';
import { frame } from '../fixtures/connection-unix-raw.ts';

interface Seen {
  readonly frames: Buffer[];
  readonly refused: number[];
  readonly reader: FrameReader;
}

function reading(limit: number): Seen {
  const frames: Buffer[] = [];
  const refused: number[] = [];
  const sink = {
    frame: (bytes: Uint8Array) => void frames.push(Buffer.from(bytes)),
    refused: (length: number) => void refused.push(length),
  };
  return { frames, refused, reader: new FrameReader(limit, sink) };
}

/** A stream in pieces: cut at positions given as fractions. */
function pieces(stream: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((cut) => Math.floor(cut * stream.length)))].sort((a, b) => a - b);
  return [0, ...at].map((begin, index) => stream.subarray(begin, at[index] ?? stream.length));
}

const bodies = fc.array(fc.uint8Array({ minLength: 1, maxLength: 200, size: 'max' }), { maxLength: 20, size: 'max' });
const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), { maxLength: 40 });

test('frames come out as they went in, however the stream is cut', () => {
  fc.assert(
    fc.property(bodies, cuts, (all, where) => {
      const seen = reading(1000);
      for (const piece of pieces(Buffer.concat(all.map(frame)), where)) seen.reader.push(piece);
      assert.deepEqual(
        seen.frames,
        all.map((body) => Buffer.from(body)),
      );
      assert.equal(seen.reader.partial, 0);
    }),
  );
});

test('frames over the limit are told and skipped, those around them come, however the stream is cut', () => {
  fc.assert(
    fc.property(bodies, cuts, (all, where) => {
      const seen = reading(100);
      for (const piece of pieces(Buffer.concat(all.map(frame)), where)) seen.reader.push(piece);
      const small = all.filter(({ length }) => length <= 100);
      assert.deepEqual(
        seen.frames,
        small.map((body) => Buffer.from(body)),
      );
      assert.deepEqual(
        seen.refused,
        all.filter(({ length }) => length > 100).map(({ length }) => length),
      );
    }),
  );
});

test('from memory that is used again frames come out the same, also around those over the limit', () => {
  const memory = Buffer.alloc(8192);
  const secret = Buffer.from('another connection');
  fc.assert(
    fc.property(bodies, cuts, (all, where) => {
      const frames: Uint8Array[] = [];
      const refused: number[] = [];
      const reader = new FrameReader(100, {
        frame: (bytes) => void frames.push(bytes),
        refused: (length) => void refused.push(length),
      });
      const plain = reading(100);
      for (const piece of pieces(Buffer.concat(all.map(frame)), where)) {
        piece.copy(memory);
        reader.pushLent(memory.subarray(0, piece.length));
        plain.reader.push(piece);
        memory.fill(secret);
        assert.equal(reader.partial, plain.reader.partial);
      }
      assert.deepEqual(
        frames.map((bytes) => Buffer.from(bytes)),
        plain.frames,
      );
      assert.deepEqual(refused, plain.refused);
    }),
    { numRuns: 300 },
  );
});

test('a frame of no bytes is refused, and one that stops at it takes nothing more', () => {
  for (const push of ['push', 'pushLent'] as const) {
    const frames: Buffer[] = [];
    const refused: number[] = [];
    const reader: FrameReader = new FrameReader(100, {
      frame: (bytes) => void frames.push(Buffer.from(bytes)),
      refused(length) {
        refused.push(length);
        reader.stop();
      },
    });
    reader[push](Buffer.concat([frame(Buffer.from('one')), Buffer.alloc(1000), frame(Buffer.from('two'))]));
    assert.deepEqual([frames, refused, reader.partial], [[Buffer.from('one')], [0], 0]);
  }
});

test('a stream that ends early leaves a part, and all before it is whole', () => {
  fc.assert(
    fc.property(bodies, cuts, fc.nat(), (all, where, cut) => {
      const whole = Buffer.concat(all.map(frame));
      const length = whole.length === 0 ? 0 : cut % whole.length;
      const seen = reading(1000);
      for (const piece of pieces(whole.subarray(0, length), where)) seen.reader.push(piece);
      const read = Buffer.concat(seen.frames.map(frame)).length;
      assert.deepEqual(
        seen.frames,
        all.slice(0, seen.frames.length).map((body) => Buffer.from(body)),
      );
      assert.equal(seen.reader.partial, length - read);
    }),
  );
});

test('a large frame is put together from small pieces', () => {
  const body = Buffer.alloc(9_000_000, 'abc');
  const seen = reading(1e7);
  const stream = Buffer.concat([frame(body), frame(Buffer.from('next'))]);
  for (let at = 0; at < stream.length; at += 65_537) seen.reader.push(stream.subarray(at, at + 65_537));
  assert.equal(seen.frames.length, 2);
  assert.ok(seen.frames[0]?.equals(body));
});

test('who announces four gigabytes and sends little costs little', () => {
  const before = process.memoryUsage();
  const readers = Array.from({ length: 100 }, () => reading(Infinity));
  const head = Buffer.from('ffffffff', 'hex');
  for (const { reader } of readers) {
    reader.push(head);
    reader.push(Buffer.alloc(10));
  }
  const taken = process.memoryUsage().arrayBuffers - before.arrayBuffers;
  assert.ok(taken < 200 * 1024 * 1024, `${taken} bytes`);
  for (const { reader } of readers) assert.equal(reader.partial, 14);
});

test('a whole frame is a view of what was read, not a copy', () => {
  const chunk = Buffer.concat([frame(Buffer.from('one')), frame(Buffer.from('two'))]);
  let seen: Uint8Array | undefined;
  new FrameReader(10, { frame: (bytes) => (seen = bytes), refused: () => undefined }).push(chunk);
  assert.equal(seen?.buffer, chunk.buffer);
});

test('a packed batch is read again as it was, with and without a hello', () => {
  const packer = new Packer();
  const sized = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 30_000, max: 90_000 }));
  fc.assert(
    fc.property(fc.array(sized, { minLength: 1, maxLength: 12 }), fc.boolean(), (sizes, hello) => {
      const message = new Message({ content: 0 });
      const batch = sizes.map((size, n) => ({ message, bytes: new Uint8Array(size).fill(n) }));
      const first = hello ? new Uint8Array([1, 2, 3]) : undefined;
      const parts = packer.pack(batch, first);
      const seen = reading(1e6);
      seen.reader.push(Buffer.concat(parts));
      const wanted = [...(first === undefined ? [] : [first]), ...batch.map(({ bytes }) => bytes)];
      assert.deepEqual(
        seen.frames,
        wanted.map((body) => Buffer.from(body)),
      );
    }),
    { numRuns: 40 },
  );
});
