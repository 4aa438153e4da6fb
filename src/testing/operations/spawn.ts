/** Making a store, and what its object tells. */
import assert from 'node:assert/strict';
import { parseInfo } from '../../spawn/connection-info.ts';
import { resolveSerializer } from '../../serializers/resolve.ts';
import { rejectsWith, take, takeContents } from '../assertions.ts';
import type { Suite } from '../suite.ts';

const contents = [
  { some: 'object', nested: { list: [1, 2, { three: 3 }], yes: true, no: false, nothing: null } },
  'a string',
  '',
  ['an', 'array', 0],
  [],
  {},
  42,
  -0.5,
  1e300,
  0,
  true,
  false,
  'ünïcödé ✓ 🚀 \u0000 \u2028 "quoted" \\ back',
  JSON.parse('{"__proto__":{"polluted":1},"constructor":2}') as unknown,
] as const;

/** Tests of `ipcmSpawn`, and the general test under each serializer. */
export function spawnTests(suite: Suite): void {
  suite.test('the string form of a spawn is its info, which says how to connect', async (scene) => {
    const bus = await scene.bus();
    assert.equal(String(bus), bus.info);
    assert.deepEqual(JSON.parse(JSON.stringify({ bus })), { bus: bus.info });
    const [protocol, serializer, route] = parseInfo('test', bus.info);
    assert.deepEqual([protocol, route], [suite.subject.protocol.className, bus.route]);
    assert.deepEqual(serializer, bus.serializer.spec);
    assert.match(bus.info, /^[\x20-\x7e]+$/, 'ASCII, so that it survives any environment variable');
    assert.equal(bus.pid, process.pid);
    assert.equal(bus.guard, false);
  });

  suite.test('the info works as a string, as an array and as the object', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const b = await scene.connect(JSON.stringify(parseInfo('test', bus.info)), 'b');
    const c = await bus.connect('c');
    assert.deepEqual(await a.peers(), ['b', 'c']);
    assert.equal(b.route, bus.route);
    await c.disconnect();
  });

  suite.test('the stash keeps what it is given', async (scene) => {
    const bus = await scene.bus();
    bus.stash.set('mine', { any: 'thing' });
    assert.deepEqual(bus.stash.get('mine'), { any: 'thing' });
  });

  suite.test('two stores do not see each other', async (scene) => {
    const [one, two] = [await scene.bus(), await scene.bus()];
    const a = await scene.connect(one, 'a');
    await scene.connect(two, 'b');
    await rejectsWith(a.sendMessage('b', 'x'), 'IPCM_PEER_UNKNOWN');
  });

  for (const spec of suite.subject.factory.serializers ?? ['JSON', 'default']) {
    const label = typeof spec === 'string' ? spec : JSON.stringify(spec);
    suite.test(
      `general, with serializer ${label}: to and fro, every kind of content, broadcast, stats`,
      async (scene) => {
        const serializer = spec === 'default' ? undefined : spec;
        const bus = await scene.bus({ serializer });
        if (serializer !== undefined) assert.deepEqual(bus.serializer.spec, (await resolveSerializer(serializer)).spec);
        const [a, b, c] = await scene.clients(bus, 'con1', 'con2', 'con3');
        const sent = Promise.all(contents.map((content) => a.sendMessage('con2', content)));
        const received = await take(b, contents.length);
        await sent;
        assert.deepEqual(
          received.map(({ content }) => content),
          contents,
        );
        assert.ok(received.every(({ from, to, broadcast }) => from === 'con1' && to === 'con2' && !broadcast));
        assert.ok(new Set(received.map(({ id }) => id)).size === contents.length, 'each has an id of its own');
        await b.sendMessage('con1', { answer: 1 });
        assert.deepEqual(await takeContents(a, 1), [{ answer: 1 }]);
        await c.broadcast({ to: 'all of you' });
        for (const client of [a, b]) {
          const [message, ...more] = await take(client, 1);
          assert.deepEqual([message?.content, message?.broadcast, more.length], [{ to: 'all of you' }, true, 0]);
        }
        for (const client of [a, b, c]) assert.deepEqual(await client.getMessages(), [], 'nothing comes twice');
        assert.deepEqual(a.stats.sent, new Map([['con2', contents.length]]));
        assert.deepEqual(
          a.stats.read,
          new Map([
            ['con2', 1],
            ['con3', 1],
          ]),
        );
        assert.deepEqual(
          b.stats.read,
          new Map([
            ['con1', contents.length],
            ['con3', 1],
          ]),
        );
      },
    );
  }
}
