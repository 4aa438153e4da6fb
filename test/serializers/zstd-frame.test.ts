import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { isIpcError } from '../../src/errors.ts';
import { readFrameHeader, storedContent, storedFrame } from '../../src/serializers/zstd-frame.ts';

const skip = typeof zlib.zstdCompressSync === 'function' ? false : 'no zstd in node:zlib';

function read(bytes: Uint8Array): Buffer | undefined {
  const content = storedContent(bytes, readFrameHeader(bytes));
  return content === undefined ? undefined : Buffer.from(content);
}

const malformed = { code: 'IPCM_MALFORMED_MESSAGE' };

test('a stored frame is read back, at each width of its size field', () => {
  for (const size of [0, 1, 255, 256, 257, 65_535, 65_791, 65_792, 131_072]) {
    const text = 'abc'.repeat(size / 3 + 1).slice(0, size);
    const frame = storedFrame(text);
    assert.equal(readFrameHeader(frame).contentSize, size);
    assert.equal(read(frame)?.toString('latin1'), text, String(size));
    assert.ok(frame.length - size <= 12);
    if (skip === false) assert.equal(zlib.zstdDecompressSync(frame).toString('latin1'), text);
  }
  assert.throws(() => storedFrame('x'.repeat(131_073)), RangeError);
});

test('headers of the compressor are understood', { skip }, () => {
  const text = Buffer.alloc(300_000, 'some text ');
  const { ZSTD_c_checksumFlag: checksum, ZSTD_c_contentSizeFlag: size, ZSTD_c_windowLog: window } = zlib.constants;
  for (const length of [0, 10, 300, 70_000, 300_000]) {
    const plain = readFrameHeader(zlib.zstdCompressSync(text.subarray(0, length)));
    assert.equal(plain.contentSize, length);
    assert.equal(plain.checksum, false);
    assert.equal(plain.dictionaryId, 0);
  }
  assert.equal(readFrameHeader(zlib.zstdCompressSync(text, { params: { [checksum]: 1 } })).checksum, true);
  const bare = readFrameHeader(zlib.zstdCompressSync(text, { params: { [size]: 0, [window]: 17 } }));
  assert.equal(bare.contentSize, undefined);
  assert.equal(bare.windowSize, 131_072);
});

test('compressed frames and checksums are left to the decompressor', { skip }, () => {
  const noise = Buffer.from(Array.from({ length: 200 }, (_, index) => (index * 167 + (index >> 3)) & 255));
  assert.deepEqual(read(zlib.zstdCompressSync(noise)), noise);
  assert.equal(read(zlib.zstdCompressSync(noise, { params: { [zlib.constants.ZSTD_c_checksumFlag]: 1 } })), undefined);
  assert.equal(read(zlib.zstdCompressSync(Buffer.alloc(500))), undefined);
});

test('wrong frames are refused by what is wrong', () => {
  const frame = storedFrame('hello');
  const changed = (at: number, byte: number) => Buffer.from(frame).fill(byte, at, at + 1);
  assert.throws(() => read(changed(0, 0)), { ...malformed, message: /magic/ });
  assert.throws(() => read(changed(4, 0x28)), { ...malformed, message: /reserved bit/ });
  assert.throws(() => read(changed(5, 9)), { ...malformed, message: /declared/ });
  assert.throws(() => read(changed(6, 0x2f)), { ...malformed, message: /reserved type/ });
  assert.throws(() => read(changed(6, 0x28)), { ...malformed, message: /before its last block/ });
  assert.throws(() => read(changed(8, 0xff)), { ...malformed, message: /larger than a block/ });
  assert.throws(() => read(Buffer.concat([frame, frame])), { ...malformed, message: /follows/ });
  for (let length = 0; length < frame.length; length++) assert.throws(() => read(frame.subarray(0, length)), malformed);
});

test('no bytes behind a magic number do anything but be read or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (tail) => {
      try {
        read(Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), tail]));
      } catch (error) {
        assert.ok(isIpcError(error, 'IPCM_MALFORMED_MESSAGE'), String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
