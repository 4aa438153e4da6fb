import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isIpcError } from '../../src/errors.ts';
import { Message } from '../../src/message/message.ts';
import defaultExport, { serializer } from '../../src/serializers/json.ts';

const json = serializer.create({});
const limit = 1 << 20;

function text(value: unknown): string {
  return Buffer.from(json.serialize(value)).toString('latin1');
}

/** Any string, lone surrogates included. */
const anyString = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units)),
);

test('the module exports its serializer twice, and one instance', () => {
  assert.equal(defaultExport, serializer);
  assert.equal(serializer.create({}), json);
  assert.equal(json.spec, 'IPC::Manager::Serializer::JSON');
  assert.equal(serializer.unviable({}), undefined);
  assert.throws(() => serializer.create({ level: 3 }), { code: 'IPCM_INVALID_OPTION', message: /"level"/ });
});

test('JSON values come back, through ASCII alone', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
      const bytes = json.serialize(value);
      assert.ok(bytes.every((byte) => byte < 0x80));
      assert.deepEqual(json.deserialize(bytes, limit), JSON.parse(JSON.stringify(value)));
    }),
  );
});

test('strings of any UTF-16 units come back, also lone surrogates', () => {
  fc.assert(
    fc.property(anyString, (value) => {
      const bytes = json.serialize(value);
      assert.ok(bytes.every((byte) => byte < 0x80));
      assert.equal(json.deserialize(bytes, limit), value);
    }),
  );
  assert.equal(text('é€😀\ud800'), '"\\u00e9\\u20ac\\ud83d\\ude00\\ud800"');
});

test('the envelope written by hand is what JSON.stringify writes, for any names and fields', () => {
  const fields = fc.record(
    {
      id: anyString,
      from: anyString,
      to: anyString,
      stamp: fc.double(),
      stampOrd: fc.nat(),
      broadcast: fc.boolean(),
      content: fc.jsonValue(),
    },
    { requiredKeys: ['content'] },
  );
  const extra = fc.option(fc.dictionary(fc.string(), fc.jsonValue()), { nil: undefined });
  fc.assert(
    fc.property(fields, extra, (given, more) => {
      const message = new Message(given, more);
      assert.deepEqual(json.deserialize(json.serialize(message), limit), JSON.parse(JSON.stringify(message)));
    }),
  );
});

test('a subclass with a wire form of its own is asked for it', () => {
  class Marked extends Message {
    override toJSON() {
      return { ...super.toJSON(), marked: true };
    }
  }
  assert.match(text(new Marked({ content: 1 })), /"marked":true/);
});

test('more names than are remembered', () => {
  for (let index = 0; index < 2500; index++) {
    const message = new Message({ from: `peer "${index}"`, to: 'rx', content: index });
    assert.deepEqual(JSON.parse(text(message)), JSON.parse(JSON.stringify(message)));
  }
});

test('what has no JSON is refused with cause and remedy', () => {
  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  const thrower = {
    toJSON() {
      throw new Error('not me');
    },
  };
  for (const value of [1n, cycle, thrower, undefined, () => 1, Symbol('s')]) {
    for (const sent of [value, new Message({ content: value })]) {
      assert.throws(
        () => json.serialize(sent),
        (error) =>
          isIpcError(error, 'IPCM_INVALID_CONTENT') && error.message.includes('send') && !error.message.includes('\n'),
      );
    }
  }
  assert.throws(
    () => json.serialize(1n),
    (error) => isIpcError(error) && error.cause instanceof TypeError,
  );
});

test('nesting beyond what the engine can write is refused, and depends on the engine', () => {
  let deep: unknown = 1;
  for (let level = 0; level < 100_000; level++) deep = [deep];
  for (const sent of [deep, new Message({ content: deep })]) {
    try {
      assert.ok(json.serialize(sent).length > 200_000);
    } catch (error) {
      assert.ok(isIpcError(error, 'IPCM_INVALID_CONTENT') && error.cause instanceof RangeError, String(error));
      assert.match(error.message, /nested too deeply/);
    }
  }
});

test('bytes that are no JSON are refused, with a short excerpt', () => {
  for (const bytes of ['', '{', '{"a":1}x', 'undefined', '\ufeff{}', "{'a':1}", `${'['.repeat(100_000)}`]) {
    assert.throws(
      () => json.deserialize(Buffer.from(bytes), limit),
      (error) => isIpcError(error, 'IPCM_MALFORMED_MESSAGE') && error.message.length < 200,
    );
  }
  assert.throws(() => json.deserialize(Buffer.from([0x22, 0xff, 0x22]), limit), {
    code: 'IPCM_MALFORMED_MESSAGE',
    message: /UTF-8/,
  });
});

test('random bytes give a value or an error of ours', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        json.deserialize(bytes, limit);
      } catch (error) {
        assert.ok(isIpcError(error, 'IPCM_MALFORMED_MESSAGE'));
      }
    }),
  );
});

test('UTF-8 is understood, and a view into a larger buffer', () => {
  const bytes = Buffer.from('xx"é😀"yy');
  assert.equal(json.deserialize(new Uint8Array(bytes.buffer, bytes.byteOffset + 2, bytes.length - 4), limit), 'é😀');
});

test('the limit counts bytes and is inclusive', () => {
  const bytes = json.serialize('12345678');
  assert.equal(json.deserialize(bytes, 10), '12345678');
  assert.throws(() => json.deserialize(bytes, 9), { code: 'IPCM_MESSAGE_TOO_LARGE', message: /10 bytes.*limit of 9/ });
});

test('a key called __proto__ is data', () => {
  const value = json.deserialize(Buffer.from('{"__proto__":{"polluted":1}}'), limit) as Record<string, unknown>;
  assert.equal(value['polluted'], undefined);
  assert.deepEqual(Object.keys(value), ['__proto__']);
  assert.equal(text(value), '{"__proto__":{"polluted":1}}');
});
