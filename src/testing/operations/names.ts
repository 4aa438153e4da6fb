/** Names are data: whatever a client is called, it works, and it comes back as it was. */
import assert from 'node:assert/strict';
import { hasNothing, rejectsWith, takeContents } from '../assertions.ts';
import { killHard } from '../faults.ts';
import type { Suite } from '../suite.ts';

/** Names that have meant something else to somebody: paths, sidecars, hashes, SQL, keys of every object. */
const hostile: Readonly<Record<string, string>> = {
  'a path up': '../x',
  'an absolute path': '/etc/passwd',
  'a dot': '.',
  'two dots': '..',
  'a hidden file': '.hidden',
  'a folder of ours': '.ipcm',
  'a sidecar': 'a.pid',
  'another sidecar': 'b.suspend',
  'a half-written file': 'c.pend',
  'a hashed name': 'h-0123456789abcdef0123456789abcdef01234567',
  'a backslash': 'a\\b',
  'a newline': 'first\nsecond',
  'a null byte': 'a\u0000b',
  'control characters': '\u0001\u001b[31m\u007f',
  'spaces around': ' x ',
  'one space': ' ',
  quotes: `"'\``,
  SQL: `x'; DROP TABLE clients; --`,
  'wild cards': '%_*?[a]',
  'a key of every object': 'constructor',
  'another one': 'toString',
  'an emoji': '🚀🧨',
  'composed é': '\u00e9',
  'decomposed é': 'e\u0301',
  'right to left': '\u202ename',
  'the name of the bus itself': 'spawn',
  '255 characters': 'n'.repeat(255),
  '500 characters': 'x'.repeat(500),
  '500 characters of three bytes': '語'.repeat(500),
  '5000 characters': 'y'.repeat(5000),
};

const reserved: Readonly<Record<string, unknown>> = {
  'an empty name': '',
  'a leading underscore': '_reserved',
  'the key of a prototype': '__proto__',
  'half a surrogate pair': 'a\ud800',
  endless: 'z'.repeat(70_000),
  'a number': 42,
  undefined: undefined,
  null: null,
};

/** Tests of hostile, long and reserved names. */
export function namesTests(suite: Suite): void {
  const { longestName = Infinity, nullInNames = true } = suite.subject.capabilities;
  const isPossible = (name: string): boolean => name.length <= longestName && (nullInNames || !name.includes('\0'));
  for (const [what, name] of Object.entries(hostile)) {
    if (!isPossible(name)) {
      suite.test(`a client cannot be called like ${what} here, and is told so`, async (scene) => {
        const bus = await scene.bus();
        const a = await scene.connect(bus, 'a');
        await rejectsWith(scene.connect(bus, name), 'IPCM_INVALID_NAME');
        await rejectsWith(a.sendMessage(name, 'x'), 'IPCM_INVALID_NAME', 'IPCM_PEER_UNKNOWN');
        assert.equal(await a.peerExists(name), false);
        assert.deepEqual(await a.peers(), []);
      });
      continue;
    }
    suite.test(`a client called like ${what} sends, receives, is listed and is counted`, async (scene) => {
      const bus = await scene.bus();
      const [plain, odd] = await scene.clients(bus, 'plain', name);
      assert.equal(odd.id, name);
      assert.deepEqual(await plain.peers(), [name]);
      assert.deepEqual([await plain.peerActive(name), await plain.peerPid(name)], [true, process.pid]);
      await plain.sendMessage(name, 'to');
      await odd.sendMessage('plain', 'fro');
      assert.deepEqual(await plain.broadcast('all'), new Map([[name, { sent: true }]]));
      assert.deepEqual(await takeContents(odd, 2), ['to', 'all']);
      const [back] = await plain.getMessages({ timeout: 5000 });
      assert.deepEqual([back?.from, back?.content], [name, 'fro']);
      assert.deepEqual(plain.stats, { sent: new Map([[name, 2]]), read: new Map([[name, 1]]) });
      await rejectsWith(scene.connect(bus, name), 'IPCM_NAME_TAKEN');
      await odd.disconnect();
      assert.deepEqual(await plain.peers(), []);
      assert.deepEqual((await plain.allStats()).get(name)?.sent, new Map([['plain', 1]]));
      await plain.disconnect();
      await bus.sanityCheck();
    });
  }

  suite.test('all of them are on one bus without being taken for each other', async (scene) => {
    const bus = await scene.bus();
    const names = [...Object.values(hostile).filter(isPossible), 'case', 'CASE', 'x', 'x ', 'e', '0', '00'];
    const clients = await Promise.all(names.map((name) => scene.connect(bus, name)));
    const hub = await scene.connect(bus, 'hub');
    assert.deepEqual(await hub.peers(), [...names].sort());
    for (const [n, name] of names.entries()) await hub.sendMessage(name, n);
    for (const [n, client] of clients.entries()) {
      assert.deepEqual(await takeContents(client, 1), [n], `what ${JSON.stringify(client.id).slice(0, 40)} got`);
      await hasNothing(client);
    }
  });

  if (suite.subject.capabilities.suspend) {
    suite.test('they suspend and come back', async (scene) => {
      const bus = await scene.bus();
      const hub = await scene.connect(bus, 'hub');
      for (const name of ['../x', 'a.pid', 'x'.repeat(500), 'first\nsecond']) {
        await (await scene.connect(bus, name)).suspend();
        await hub.sendMessage(name, name);
        assert.ok(await hub.peerExists(name));
        assert.deepEqual(await takeContents(await scene.reconnect(bus, name), 1), [name]);
      }
    });
  }

  for (const [what, name] of Object.entries(reserved)) {
    suite.test(`${what} is refused as a name`, async (scene) => {
      const bus = await scene.bus();
      await rejectsWith(scene.connect(bus, name as string), 'IPCM_INVALID_NAME');
      const a = await scene.connect(bus, 'a');
      await rejectsWith(a.peerExists(name as string), 'IPCM_INVALID_NAME');
      assert.deepEqual(await a.peers(), []);
    });
  }

  suite.test('sending to a name that nobody can have fails, and does no harm', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    for (const name of ['', '_reserved', '__proto__', 'a\ud800', 'z'.repeat(70_000)]) {
      await rejectsWith(a.sendMessage(name, 'x'), 'IPCM_INVALID_NAME', 'IPCM_PEER_UNKNOWN');
    }
    for (const name of ['../b', './b', 'b/', 'b.pid', 'B'])
      await rejectsWith(a.sendMessage(name, 'x'), 'IPCM_PEER_UNKNOWN');
    await hasNothing(b);
  });

  suite.crossProcess('they are reaped under their names after kill -9', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const names = ['../x', 'x'.repeat(500)];
    const children = await Promise.all(names.map((name) => scene.childClient(bus, name)));
    assert.deepEqual(
      await Promise.all(names.map((name) => a.peerPid(name))),
      children.map(({ pid }) => pid),
    );
    await Promise.all(children.map(killHard));
    assert.deepEqual((await a.reap()).map(({ name }) => name).sort(), [...names].sort());
    assert.deepEqual(await a.peers(), []);
  });
}
