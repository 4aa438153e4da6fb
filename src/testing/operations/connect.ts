/** Taking a name on a store. */
import assert from 'node:assert/strict';
import { Client } from '../../client/client.ts';
import { childRejectsWith, hasNothing, rejectsWith, takeContents } from '../assertions.ts';
import { killHard } from '../faults.ts';
import { descriptors } from '../leaks.ts';
import { upTo } from '../numbered.ts';
import type { Suite } from '../suite.ts';

/** Tests of `ipcmConnect` and names held, left and taken over. */
export function connectTests(suite: Suite): void {
  suite.test('a client knows its name, route, protocol and state', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    assert.deepEqual(
      [a.id, a.route, a.state, a.disconnected, a.pid],
      ['a', bus.route, 'connected', false, process.pid],
    );
    assert.equal(a.protocol.name, suite.subject.protocol.name);
    assert.ok(Client.localClients(bus.route).includes(a));
    await a.disconnect();
    assert.deepEqual(Client.localClients(bus.route), []);
  });

  suite.test('a name that a client holds is taken, and the holder is not disturbed', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    const error = await rejectsWith(scene.connect(bus, 'a'), 'IPCM_NAME_TAKEN');
    assert.equal(error.pid, process.pid, 'the error says who has it');
    await b.sendMessage('a', 'still yours');
    assert.deepEqual(await takeContents(a, 1), ['still yours']);
  });

  suite.test('of many who want one name at once exactly one gets it', async (scene) => {
    const bus = await scene.bus();
    const tries = await Promise.allSettled(upTo(10).map(() => scene.connect(bus, 'wanted')));
    assert.equal(tries.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const attempt of tries) {
      if (attempt.status === 'rejected') await rejectsWith(Promise.reject(attempt.reason as Error), 'IPCM_NAME_TAKEN');
    }
  });

  suite.test('a name is free again after a disconnect, and the newcomer gets nothing of the old', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    await b.sendMessage('a', 'for the first');
    await a.disconnect(() => undefined);
    await rejectsWith(b.sendMessage('a', 'for nobody'), 'IPCM_PEER_UNKNOWN', 'IPCM_PEER_GONE');
    const again = await scene.connect(bus, 'a');
    await hasNothing(again);
    await b.sendMessage('a', 'for the second');
    assert.deepEqual(await takeContents(again, 1), ['for the second']);
  });

  suite.test('a store that was removed cannot be connected to', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    await bus.unspawn();
    await rejectsWith(scene.connect(bus, 'b'), 'IPCM_STORE_MISSING');
    await rejectsWith(a.sendMessage('b', 'x'), 'IPCM_STORE_MISSING', 'IPCM_PEER_UNKNOWN', 'IPCM_PEER_GONE');
    await rejectsWith(a.getMessages(), 'IPCM_STORE_MISSING');
  });

  suite.test('fifty clients in one process each get what is theirs', async (scene) => {
    const bus = await scene.bus();
    const names = upTo(50).map((n) => `client-${n}`);
    const clients = await Promise.all(names.map((name) => scene.connect(bus, name)));
    const [first] = clients;
    assert.equal((await first?.peers())?.length, 49);
    await Promise.all(clients.map((client, n) => client.sendMessage(names[(n + 1) % 50] ?? '', { from: n })));
    for (const [n, client] of clients.entries()) {
      assert.deepEqual(await takeContents(client, 1), [{ from: (n + 49) % 50 }]);
    }
  });

  suite.test('start and stop twenty times in one process leave nothing', async (scene) => {
    const round = async (): Promise<void> => {
      const bus = await scene.bus();
      const [a, b] = await Promise.all([bus.connect('a'), bus.connect('b')]);
      await a.sendMessage('b', 'x');
      assert.deepEqual(await takeContents(b, 1), ['x']);
      await Promise.all([a.disconnect(), b.disconnect()]);
      await bus.shutdown();
    };
    await round();
    const before = descriptors().length;
    for (let n = 0; n < 20; n++) await round();
    assert.ok(descriptors().length <= before, `${before} descriptors at first, now ${descriptors().length}`);
  });

  suite.crossProcess('a name held by a live process elsewhere is taken', async (scene) => {
    const bus = await scene.bus();
    const child = await scene.childClient(bus, 'theirs');
    assert.equal((await rejectsWith(scene.connect(bus, 'theirs'), 'IPCM_NAME_TAKEN')).pid, child.pid);
    await scene.connect(bus, 'ours');
    await childRejectsWith(scene.connectChild(await scene.child(), bus, 'ours'), 'IPCM_NAME_TAKEN');
  });

  suite.crossProcess('the name of a dead client is taken over at once, without what it left', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const child = await scene.childClient(bus, 'victim');
    await a.sendMessage('victim', 'never read');
    await killHard(child);
    const successor = await scene.connect(bus, 'victim');
    await hasNothing(successor);
    await a.sendMessage('victim', 'for the successor');
    assert.deepEqual(await takeContents(successor, 1), ['for the successor']);
  });

  suite.crossProcess('of several processes that want the name of a dead one exactly one gets it', async (scene) => {
    const bus = await scene.bus();
    await killHard(await scene.childClient(bus, 'victim'));
    const heirs = await Promise.all(upTo(3).map(() => scene.child()));
    const tries = await Promise.allSettled(heirs.map((heir) => scene.connectChild(heir, bus, 'victim')));
    assert.equal(tries.filter(({ status }) => status === 'fulfilled').length, 1);
  });

  suite.crossProcess(
    'a process that exits without disconnecting gives up its name, and its counts are kept',
    async (scene) => {
      const bus = await scene.bus();
      const a = await scene.connect(bus, 'a');
      const child = await scene.childClient(bus, 'leaver');
      await child.call('send', { to: 'a', content: 'last words' });
      assert.equal((await child.last('exit', { code: 3 })).code, 3);
      assert.deepEqual(await a.peers(), []);
      assert.equal(await a.peer('leaver'), undefined, 'it left, and is not dead');
      assert.deepEqual((await a.allStats()).get('leaver')?.sent, new Map([['a', 1]]), 'and its counts are there');
      assert.deepEqual(await takeContents(a, 1), ['last words']);
      await rejectsWith(a.sendMessage('leaver', 'x'), 'IPCM_PEER_UNKNOWN', 'IPCM_PEER_GONE');
      await scene.connect(bus, 'leaver');
    },
  );

  suite.crossProcess('an idle client does not keep its process alive, and its name is free then', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const child = await scene.childClient(bus, 'idle');
    await child.call('letGo', { waiting: false });
    assert.deepEqual(await child.ended, { code: 0, signal: null });
    assert.deepEqual(await a.peers(), []);
  });

  suite.crossProcess('a client that waits for messages keeps its process alive', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const child = await scene.childClient(bus, 'waiting');
    await child.call('letGo', { waiting: true });
    // It answers after it has let go of its stdin: nothing but the loop holds it.
    for (const n of upTo(3)) {
      await a.sendMessage('waiting', n);
      assert.deepEqual(await takeContents(a, 1), [n]);
    }
    assert.ok(child.running);
    await a.sendMessage('waiting', { terminate: 1 });
    assert.equal((await child.ended).code, 0, 'when the loop ends the process does');
  });
}
