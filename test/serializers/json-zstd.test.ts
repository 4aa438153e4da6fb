import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { isIpcError } from '../../src/errors.ts';
import { Message } from '../../src/message/message.ts';
import defaultExport, { serializer, storedUpTo } from '../../src/serializers/json-zstd.ts';
import { readFrameHeader, storedContent } from '../../src/serializers/zstd-frame.ts';

const hasZstd = typeof zlib.zstdCompressSync === 'function';
const className = 'IPC::Manager::Serializer::JSON::Zstd';
const dictionary = fileURLToPath(new URL('../wire/serializer/dictionary.zdict', import.meta.url));
const limit = 1 << 20;
const folder = mkdtempSync(join(tmpdir(), 'ipcm-zstd-'));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

function isStored(bytes: Uint8Array): boolean {
  return storedContent(bytes, readFrameHeader(bytes)) !== undefined;
}

if (!hasZstd)
  test('a runtime without zstd says so, with the remedy', () => {
    assert.match(serializer.unviable({}) ?? '', /Node >= 22\.15.*serializer JSON/);
    assert.throws(() => serializer.create({}), { code: 'IPCM_NOT_VIABLE' });
  });

test('options are checked', () => {
  for (const level of [0, 23, 1.5, -1, Number.NaN, 'fast', '', null, true, {}]) {
    assert.throws(() => serializer.create({ level }), { code: 'IPCM_INVALID_OPTION', message: /level .* from 1/ });
  }
  assert.throws(() => serializer.create({ dictionary: 7 }), { code: 'IPCM_INVALID_OPTION' });
  assert.throws(() => serializer.create({ treshold: 7 }), { code: 'IPCM_INVALID_OPTION', message: /"treshold"/ });
});

describe('JSON::Zstd', { skip: hasZstd ? false : 'no zstd in node:zlib' }, () => {
  const zstd = serializer.create({});
  const hasDictionary = serializer.unviable({ dictionary }) === undefined;
  const skip = hasDictionary ? false : 'no dictionaries in node:zlib';

  test('spec keeps the order of options and makes numbers and paths fit for others', () => {
    assert.equal(defaultExport, serializer);
    assert.equal(zstd.spec, className);
    assert.deepEqual(serializer.create({ level: '9' }).spec, [className, 'level', 9]);
    if (!hasDictionary) return;
    assert.deepEqual(serializer.create({ dictionary, level: 9 }).spec, [
      className,
      'dictionary',
      dictionary,
      'level',
      9,
    ]);
  });

  test('an unreadable, empty or corrupt dictionary is refused with its path', { skip }, () => {
    const magic = readFileSync(dictionary).subarray(0, 8);
    const paths = [
      join(folder, 'missing'),
      folder,
      file('empty', ''),
      file('corrupt', Buffer.concat([magic, Buffer.from('x')])),
    ];
    for (const path of paths) {
      assert.throws(
        () => serializer.create({ dictionary: path }),
        (error) => isIpcError(error, 'IPCM_INVALID_OPTION') && error.message.includes(path),
      );
    }
  });

  test('short text is stored, longer is compressed, and any zstd reads both', () => {
    for (const length of [0, 1, 200, storedUpTo - 2, storedUpTo - 1, 5000, 200_000]) {
      const text = 'x'.repeat(length);
      const bytes = zstd.serialize(text);
      assert.equal(isStored(bytes), length + 2 <= storedUpTo, String(length));
      assert.equal(zlib.zstdDecompressSync(bytes).toString(), JSON.stringify(text));
      assert.equal(zstd.deserialize(bytes, limit), text);
    }
  });

  test('JSON values and messages come back, at every length', () => {
    const value = fc.oneof(fc.jsonValue(), fc.string({ minLength: 2000, maxLength: 4000, unit: 'binary' }));
    fc.assert(
      fc.property(value, (content) => {
        const expected: unknown = JSON.parse(JSON.stringify(content));
        assert.deepEqual(zstd.deserialize(zstd.serialize(content), limit), expected);
        const message = new Message<unknown>({ from: 'a', to: 'b', content });
        assert.deepEqual(zstd.deserialize(zstd.serialize(message), limit), JSON.parse(JSON.stringify(message)));
      }),
    );
  });

  test('a dictionary is used, checked, and its lack explained', { skip }, () => {
    const trained = serializer.create({ dictionary, level: 9 });
    const text = 'x'.repeat(5000);
    const bytes = trained.serialize(text);
    const id = readFrameHeader(bytes).dictionaryId;
    assert.equal(id, readFileSync(dictionary).readUInt32LE(4));
    assert.equal(readFrameHeader(bytes).checksum, true);
    assert.equal(trained.deserialize(bytes, limit), text);
    const expected = {
      code: 'IPCM_MALFORMED_MESSAGE',
      message: new RegExp(`dictionary ${id}, but .*same dictionary file`),
    };
    assert.throws(() => zstd.deserialize(bytes, limit), expected);
    assert.throws(() => serializer.create({ dictionary: file('raw0', text) }).deserialize(bytes, limit), expected);
  });

  test('another raw dictionary is found out, though the frame names none', { skip }, () => {
    const text = Array.from({ length: 600 }, (_, index) => `word${(index * 7919) % 1000}`).join(' ');
    const one = serializer.create({ dictionary: file('raw1', text) });
    const other = serializer.create({ dictionary: file('raw2', text.toUpperCase()) });
    const bytes = one.serialize(text);
    assert.equal(one.deserialize(bytes, limit), text);
    for (const wrong of [other, zstd]) {
      assert.throws(() => wrong.deserialize(bytes, limit), {
        code: 'IPCM_MALFORMED_MESSAGE',
        message: /another dictionary/,
      });
    }
  });

  test('the limit counts decompressed bytes and is inclusive, stored or compressed', () => {
    for (const length of [100, 10_000]) {
      const bytes = zstd.serialize('x'.repeat(length - 2));
      assert.equal((zstd.deserialize(bytes, length) as string).length, length - 2);
      assert.throws(() => zstd.deserialize(bytes, length - 1), { code: 'IPCM_MESSAGE_TOO_LARGE' });
    }
    assert.equal(zstd.deserialize(zstd.serialize('x'.repeat(9000)), Infinity), 'x'.repeat(9000));
    assert.throws(() => zstd.deserialize(zstd.serialize(1), 0), { code: 'IPCM_MESSAGE_TOO_LARGE' });
  });

  test('changed, cut and random frames give a value or an error of ours, in bounded time', () => {
    const whole = [
      zstd.serialize('stored'),
      zstd.serialize('compressed '.repeat(400)),
      zlib.zstdCompressSync('"checked"', { params: { [zlib.constants.ZSTD_c_checksumFlag]: 1 } }),
    ];
    const attempt = (bytes: Uint8Array) => {
      try {
        zstd.deserialize(bytes, 10_000);
      } catch (error) {
        assert.ok(
          isIpcError(error, 'IPCM_MALFORMED_MESSAGE') || isIpcError(error, 'IPCM_MESSAGE_TOO_LARGE'),
          String(error),
        );
      }
    };
    for (const frame of whole) {
      for (let length = 0; length < frame.length; length++) {
        assert.throws(() => zstd.deserialize(frame.subarray(0, length), limit), { code: 'IPCM_MALFORMED_MESSAGE' });
      }
      for (let bit = 0; bit < frame.length * 8; bit++) {
        const flipped = Uint8Array.from(frame);
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        attempt(flipped);
      }
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), attempt));
    const magic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (tail) => attempt(Buffer.concat([magic, tail]))),
      { numRuns: 2000 },
    );
  });

  test('something after the frame, or two frames, are no message', () => {
    for (const frame of [zstd.serialize(1), zstd.serialize('x'.repeat(5000))]) {
      for (const more of [frame, Buffer.from('x')]) {
        assert.throws(() => zstd.deserialize(Buffer.concat([frame, more]), limit), { code: 'IPCM_MALFORMED_MESSAGE' });
      }
    }
  });

  test('bombs are refused in bounded memory: declared, undeclared, lying, of runs, with a huge window', () => {
    const run = Buffer.from([(1 << 1) | 0, 0, 0x10, 0x20]); // a block: 128 KB of spaces in four bytes
    const last = Buffer.from([(1 << 1) | 1, 0, 0x10, 0x20]);
    const gigabyte = Buffer.concat([...Array.from({ length: 8191 }, () => run), last]);
    const magic = [0x28, 0xb5, 0x2f, 0xfd];
    const frame = (header: number[], blocks: Buffer) => Buffer.concat([Buffer.from([...magic, ...header]), blocks]);
    const window = (log: number) => [0x00, (log - 10) << 3];
    const bombs = {
      declared: [frame([0xa0, 0, 0, 0, 0x40], gigabyte), 'IPCM_MESSAGE_TOO_LARGE'],
      'declared in eight bytes': [
        frame([0xe0, 255, 255, 255, 255, 255, 255, 255, 255], gigabyte),
        'IPCM_MESSAGE_TOO_LARGE',
      ],
      undeclared: [frame(window(20), gigabyte), 'IPCM_MESSAGE_TOO_LARGE'],
      lying: [frame([0xa0, 0, 0, 8, 0], gigabyte), 'IPCM_MALFORMED_MESSAGE'],
      'huge window': [frame(window(31), last), 'IPCM_MESSAGE_TOO_LARGE'],
      'compressed zeros': [zlib.zstdCompressSync(Buffer.alloc(1 << 28)), 'IPCM_MESSAGE_TOO_LARGE'],
    } as const;
    for (const [name, [bytes, code]] of Object.entries(bombs)) {
      const before = process.memoryUsage.rss();
      for (let time = 0; time < 5; time++) assert.throws(() => zstd.deserialize(bytes, limit), { code }, name);
      const grown = process.memoryUsage.rss() - before;
      assert.ok(grown < 64 << 20, `${name}: memory grew by ${grown >> 20} MB`);
    }
    assert.throws(() => zstd.deserialize(frame([0xa0, 0, 0, 16, 0], last), limit), { code: 'IPCM_MALFORMED_MESSAGE' });
  });
});
