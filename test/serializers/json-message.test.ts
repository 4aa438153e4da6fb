import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Message } from '../../src/message/message.ts';
import { nextMicros } from '../../src/message/stamp.ts';
import { readJsonMessage } from '../../src/serializers/json-reader.ts';
import { JsonWriter } from '../../src/serializers/json-writer.ts';
import { serializer } from '../../src/serializers/json.ts';

const json = serializer.create({});
const theLongWay = (bytes: Uint8Array): Message => Message.fromWire(json.deserialize(bytes, Infinity));

/** What the writer makes of a message, at some place in a buffer. */
function write(from: string, to: string, content: unknown, micros = nextMicros()): Uint8Array {
  const writer = new JsonWriter(from, to);
  const at = 13;
  let buffer = Buffer.alloc(at + writer.begin(content), 0xee);
  let end = writer.finish(micros, buffer, at);
  if (end < 0) {
    buffer = Buffer.alloc(at - end, 0xee);
    end = writer.finish(micros, buffer, at);
  }
  assert.ok(end <= buffer.length);
  return buffer.subarray(at, end);
}

function readable(bytes: Uint8Array): Message | undefined {
  try {
    return theLongWay(bytes);
  } catch {
    return undefined;
  }
}

const anyName = fc.oneof(
  fc.constantFrom('near', 'far'),
  fc.string({ minLength: 1 }),
  fc.string({ unit: 'grapheme', minLength: 1 }),
);
const anyContent = fc.oneof(
  fc.jsonValue().filter((value) => value !== null),
  fc.string({ unit: 'grapheme', minLength: 1 }),
);

test('what the writer writes is ASCII, and the same as JSON.stringify would make of the message', () => {
  fc.assert(
    fc.property(anyName, anyName, anyContent, (from, to, content) => {
      const bytes = write(from, to, content);
      assert.ok(bytes.every((byte) => byte < 0x80));
      const message = theLongWay(bytes);
      assert.match(message.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      // Stamps are written with all their digits, where JSON leaves zeros at the end out.
      const text = Buffer.from(bytes)
        .toString()
        .replace(/"stamp":\d+\.\d+/, `"stamp":${message.stamp}`);
      assert.equal(text, json.serialize(message).toString());
      assert.deepEqual(message.content, JSON.parse(JSON.stringify(content)));
    }),
  );
});

test('stamps and ids are those of the moment, in order', () => {
  let last = '';
  for (let micros = 1_795_391_097_999_000; micros < 1_795_391_098_001_000; micros++) {
    const message = theLongWay(write('a', 'b', 1, micros));
    assert.equal(message.stamp, micros / 1e6);
    assert.ok(message.id.slice(0, 18) > last);
    last = message.id.slice(0, 18);
  }
});

test('content without a JSON text is refused as by serialize', () => {
  assert.throws(() => new JsonWriter('a', 'b').begin(1n), { code: 'IPCM_INVALID_CONTENT' });
});

test('the short way reads the same as the long way, and knows what it has met once', () => {
  fc.assert(
    fc.property(anyName, anyName, anyContent, fc.boolean(), (from, to, content, broadcast) => {
      for (const bytes of [write(from, to, content), json.serialize(new Message({ from, to, content, broadcast }))]) {
        const message = json.deserializeMessage?.(bytes, Infinity);
        assert.deepEqual(message, theLongWay(bytes));
        const again = readJsonMessage(bytes);
        if (again !== undefined) assert.deepEqual(again, message);
      }
    }),
  );
  const bytes = write('near', 'far', { a: [1] });
  json.deserializeMessage?.(bytes, Infinity);
  assert.deepEqual(readJsonMessage(bytes), theLongWay(bytes));
  assert.throws(() => json.deserializeMessage?.(bytes, bytes.length - 1), { code: 'IPCM_MESSAGE_TOO_LARGE' });
});

test('whatever byte is changed, the short way reads what the long way reads or nothing', () => {
  const original = write('near', 'far', { data: 'x', more: ['ä', 1] });
  json.deserializeMessage?.(original, Infinity);
  let short = 0;
  for (let at = 0; at < original.length; at++) {
    for (let byte = 0; byte < 256; byte++) {
      const bytes = Uint8Array.from(original);
      bytes[at] = byte;
      const message = readJsonMessage(bytes);
      if (message === undefined) continue;
      short++;
      assert.deepEqual(message, readable(bytes), `byte ${byte} at ${at}`);
    }
  }
  assert.ok(short > 256);
});

test('whatever is cut off or added, too', () => {
  const original = write('near', 'far', { data: 'x' });
  json.deserializeMessage?.(original, Infinity);
  const tails = [',"content":2}', ',"from":"other"}', '}', ' }', ']', ',"id":"other","content":null}'];
  for (let end = 0; end <= original.length; end++) {
    const cut = Buffer.from(original.subarray(0, end));
    for (const bytes of [cut, ...tails.map((tail) => Buffer.concat([cut, Buffer.from(tail)]))]) {
      const message = readJsonMessage(bytes);
      if (message !== undefined) assert.deepEqual(message, readable(bytes), bytes.toString());
    }
  }
});
