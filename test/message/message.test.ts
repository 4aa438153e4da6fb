import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { uuidAt } from '../../src/message/id.ts';
import { Message, byStamp } from '../../src/message/message.ts';
import { nextMicros, nextStamp } from '../../src/message/stamp.ts';

const v7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const wire = { id: 'i', from: 'a', to: 'b', stamp: 1.5, stamp_ord: 0, content: 1 };

test('stamps rise strictly, also while the clock stands still or steps back', (t) => {
  let now = Date.now() + 1000;
  t.mock.method(Date, 'now', () => now);
  let last = nextStamp();
  for (const step of [0, 0, 1, -500, 0, -86_400_000, 1, 86_400_600, 0]) {
    now += step;
    for (let time = 0; time < 1500; time++) {
      const stamp = nextStamp();
      assert.ok(stamp > last, `${stamp} after ${last}`);
      last = stamp;
    }
  }
  // The clock ran ahead for this test; what follows in this process must rise still.
  assert.ok(nextMicros() > last * 1e6 - 1);
});

test('ids are version 7, unique, and sort as they were made', () => {
  const messages = Array.from({ length: 20_000 }, (_, index) => new Message({ content: index }));
  const ids = messages.map(({ id }) => id);
  for (const id of ids) assert.match(id, v7);
  assert.equal(new Set(ids).size, ids.length);
  assert.deepEqual(ids.toSorted(), ids);
  assert.deepEqual(messages.toReversed().sort(byStamp), messages);
});

test('an id holds its moment, and the order of microseconds', () => {
  assert.equal(uuidAt(1_700_000_000_123_000).slice(0, 18), '018bcfe5-687b-7000');
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4e15 }), (micros) => {
      const id = uuidAt(micros);
      assert.match(id, v7);
      assert.equal(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16), Math.floor(micros / 1000));
      assert.ok(uuidAt(micros + 1) > id);
    }),
  );
});

test('fields are filled in or taken as given', () => {
  const filled = new Message({ from: 'a', to: 'b', content: { x: 1 } });
  assert.match(filled.id, v7);
  assert.ok(Math.abs(filled.stamp * 1000 - Date.now()) < 60_000);
  assert.equal(filled.stampOrd, 0);
  assert.equal(filled.broadcast, false);
  assert.deepEqual(filled.toJSON(), {
    id: filled.id,
    from: 'a',
    to: 'b',
    stamp: filled.stamp,
    stamp_ord: 0,
    content: { x: 1 },
  });
  const given = new Message({ id: 'i', from: 'a', to: 'b', stamp: 1.5, stampOrd: 2, broadcast: true, content: 1 });
  assert.deepEqual(given.toJSON(), { ...wire, stamp_ord: 2, broadcast: 1 });
});

test('a wire form comes back, unknown fields included', () => {
  const full = { ...wire, stamp_ord: 3, broadcast: 1, later: { version: [2] }, __proto: 1 };
  assert.deepEqual(Message.fromWire(full).toJSON(), full);
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (extra) => {
      const form = JSON.parse(JSON.stringify({ ...extra, ...wire, broadcast: 1 })) as Record<string, unknown>;
      assert.deepEqual(JSON.parse(JSON.stringify(Message.fromWire(form))), form);
    }),
  );
});

test('absent and null optional fields, and numbers as strings, as the reference implementation may write them', () => {
  const message = Message.fromWire({ ...wire, stamp: '1.5', stamp_ord: null, broadcast: null });
  assert.deepEqual(message.toJSON(), wire);
  assert.equal(Message.fromWire({ ...wire, broadcast: '0' }).broadcast, false);
  assert.equal(Message.fromWire({ ...wire, broadcast: '1' }).broadcast, true);
});

test('what is no message is refused by what is wrong', () => {
  const wrong: [unknown, RegExp][] = [
    [null, /object/],
    [undefined, /object/],
    [[], /object/],
    ['text', /object/],
    [7, /object/],
    [{}, /id/],
    [{ ...wire, id: '' }, /id/],
    [{ ...wire, id: 7 }, /id/],
    [{ ...wire, from: undefined }, /sender/],
    [{ ...wire, from: {} }, /sender/],
    [{ ...wire, to: '' }, /receiver/],
    [{ ...wire, stamp: undefined }, /stamp/],
    [{ ...wire, stamp: 'soon' }, /stamp/],
    [{ ...wire, stamp: Infinity }, /stamp/],
    [{ ...wire, content: null }, /content/],
    [{ id: 'i', from: 'a', to: 'b', stamp: 1 }, /content/],
  ];
  for (const [form, message] of wrong) {
    assert.throws(() => Message.fromWire(form), { code: 'IPCM_MALFORMED_MESSAGE', message }, JSON.stringify(form));
  }
  fc.assert(
    fc.property(fc.jsonValue(), (form) => {
      assert.throws(() => Message.fromWire(form), { code: 'IPCM_MALFORMED_MESSAGE' });
    }),
  );
});

test('a key called __proto__ is data, in the content and beside it', () => {
  const form: unknown = JSON.parse(
    '{"__proto__":{"isTerminate":1,"polluted":1},"id":"i","from":"a","to":"b","stamp":1.5,"content":{"__proto__":{"terminate":1}}}',
  );
  const message = Message.fromWire(form);
  assert.equal(Reflect.get({}, 'polluted'), undefined);
  assert.equal(Reflect.get(message, 'polluted'), undefined);
  assert.equal(message.isTerminate, false);
  assert.match(JSON.stringify(message), /"__proto__":\{"isTerminate":1,"polluted":1\}/);
  assert.match(JSON.stringify(message.clone({ to: 'c' })), /"__proto__":\{"isTerminate":1,"polluted":1\}/);
});

test('clone changes what is named and nothing else', () => {
  const message = Message.fromWire({ ...wire, stamp_ord: 4, broadcast: 1, later: 1 });
  assert.deepEqual(message.clone().toJSON(), message.toJSON());
  assert.deepEqual(message.clone({ to: 'c', content: [2] }).toJSON(), { ...message.toJSON(), to: 'c', content: [2] });
  assert.deepEqual(message.clone({ to: undefined, content: undefined }).toJSON(), message.toJSON());
  assert.notEqual(message.clone({ broadcast: false }).toJSON().broadcast, 1);
});

test('isTerminate is {"terminate": something true}', () => {
  for (const content of [{ terminate: 1 }, { terminate: true, more: 2 }, { terminate: '1' }]) {
    assert.ok(new Message({ content }).isTerminate);
  }
  for (const content of ['terminate', { terminate: 0 }, { terminate: false }, { terminated: 1 }, [], 1]) {
    assert.ok(!new Message({ content }).isTerminate);
  }
});
