/** What cannot be sent is refused loudly; what cannot be read costs its sender the message and nobody else anything. */
import assert from 'node:assert/strict';
import { hasNothing, rejectsWith, takeContents } from '../assertions.ts';
import type { Suite } from '../suite.ts';

function cycle(): unknown {
  const node: { self?: unknown } = {};
  node.self = node;
  return node;
}

function deep(levels: number): unknown {
  let value: unknown = 0;
  for (let n = 0; n < levels; n++) value = [value];
  return value;
}

const refused: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  'a BigInt': () => 1n,
  'a BigInt within': () => ({ list: [{ n: 1n }] }),
  'a cycle': cycle,
  'a Map': () => new Map([[1, 2]]),
  'a Set within': () => [new Set([1])],
  NaN: () => Number.NaN,
  'Infinity within': () => ({ n: Number.POSITIVE_INFINITY }),
  'a function': () => () => 1,
  'a symbol within': () => [Symbol('x')],
  'undefined in an array': () => [1, undefined],
  bytes: () => new Uint8Array(8),
  'an Error': () => new Error('x'),
  'an invalid Date within': () => ({ at: new Date(Number.NaN) }),
  'null by its toJSON': () => ({ toJSON: () => null }),
  '100,000 levels': () => deep(100_000),
};

const garbage: Readonly<Record<string, Uint8Array>> = {
  'no bytes at all': new Uint8Array(0),
  'one byte': Uint8Array.of(0),
  'random bytes': Uint8Array.from({ length: 1000 }, (_, n) => (n * 7919) % 251),
  'half a message': Buffer.from('{"id":"x","from":"a","to":"b","stamp":1,"content":"cut o'),
  'JSON that is no message': Buffer.from('[1,2,3]'),
  'a message without fields': Buffer.from('{}'),
  'a message without content': Buffer.from('{"id":"x","from":"a","to":"b","stamp":1}'),
  'fields of wrong types': Buffer.from('{"id":{},"from":7,"to":[],"stamp":"now","content":1}'),
  'invalid UTF-8': Buffer.from([0x22, 0xff, 0xfe, 0x22]),
};

/** Tests of content that is refused and of bytes that are no message. */
export function badInputTests(suite: Suite): void {
  for (const [what, make] of Object.entries(refused)) {
    suite.test(`content with ${what} is refused, and the client goes on`, async (scene) => {
      const bus = await scene.bus();
      const [a, b] = await scene.clients(bus, 'a', 'b');
      await rejectsWith(a.sendMessage('b', make()), 'IPCM_INVALID_CONTENT');
      await a.sendMessage('b', 'fine');
      assert.deepEqual(await takeContents(b, 1), ['fine']);
      await hasNothing(b);
      assert.deepEqual(a.stats.sent, new Map([['b', 1]]));
    });
  }

  suite.test('a message without a receiver is refused', async (scene) => {
    const a = await scene.connect(await scene.bus(), 'a');
    await rejectsWith(a.sendMessage({ to: '', content: 'x' }), 'IPCM_INVALID_NAME', 'IPCM_PEER_UNKNOWN');
  });

  suite.test('a message whose id or stamp nobody could read is refused', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    const id = 7 as unknown as string;
    for (const fields of [{ id: '' }, { id }, { stamp: Number.NaN }, { stamp: Number.POSITIVE_INFINITY }]) {
      await rejectsWith(a.sendMessage('b', 'x', fields), 'IPCM_INVALID_CONTENT');
    }
    await a.sendMessage('b', 'fine');
    assert.deepEqual(await takeContents(b, 1), ['fine']);
  });

  const { factory } = suite.subject;
  if (factory.injectGarbage === undefined) return;
  const inject = factory.injectGarbage.bind(factory);

  for (const serializer of factory.serializers ?? ['JSON', undefined]) {
    const label = JSON.stringify(serializer) ?? 'the default';
    for (const [what, bytes] of Object.entries(garbage)) {
      suite.test(
        `${what} in an inbox (serializer ${label}): an event for the reader, and nothing else is lost`,
        async (scene) => {
          const bus = await scene.bus({ serializer });
          const [a, b] = await scene.clients(bus, 'a', 'b');
          const rejected: string[] = [];
          b.on('rejected', ({ code, client }) => rejected.push(`${code} ${client}`));
          await a.sendMessage('b', 1);
          await inject(bus.info, 'b', bytes);
          await a.sendMessage('b', 2);
          assert.deepEqual(await takeContents(b, 2), [1, 2]);
          await hasNothing(b);
          assert.deepEqual(rejected, ['IPCM_MALFORMED_MESSAGE b']);
          await hasNothing(b);
        },
      );
    }
  }

  suite.test('without a listener such bytes are a warning of the process, and a loop goes on', async (scene) => {
    const bus = await scene.bus({ serializer: 'JSON' });
    const [a, b] = await scene.clients(bus, 'a', 'b');
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    await inject(bus.info, 'b', Buffer.from('torn'));
    await a.sendMessage('b', 'fine');
    for await (const { content } of b.messages()) {
      assert.equal(content, 'fine');
      break;
    }
    assert.equal((await warned).name, 'IpcWarning');
  });
}
