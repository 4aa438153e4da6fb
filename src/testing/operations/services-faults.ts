/** Services that are killed, stopped, busy or crash: who asked them knows, soon, and never by a timeout. */
import assert from 'node:assert/strict';
import { readProcStat } from '../../liveness/identity.ts';
import { fieldsOf, hasNothing, rejectsWith, take, takeContents } from '../assertions.ts';
import { lives } from '../faults.ts';
import { upTo } from '../numbered.ts';
import { helper, type About, type Ask } from '../services/helper.ts';
import type { Suite } from '../suite.ts';
import { until } from '../until.ts';

/** Nothing here waits for it: a failure by this says that the service's end was not noticed. */
const never = { timeout: 25_000 };

/** Tests of faults. */
export function serviceFaultTests(suite: Suite): void {
  suite.crossProcess('a request to a service that is killed, exits or crashes fails at once', async (scene) => {
    const bus = await scene.bus();
    for (const how of ['kill', 'exit', 'crash'] as const) {
      const handle = await scene.service(bus, how, helper, { stderr: 'ignore' });
      const pending = handle.request({ do: 'hang' }, never);
      await handle.request({ do: 'echo' });
      const begin = performance.now();
      if (how === 'kill') process.kill(handle.childPid ?? 0, 'SIGKILL');
      else handle.sendRequest({ do: how, with: 3 });
      assert.equal((await rejectsWith(pending, 'IPCM_PEER_GONE')).peer, how);
      assert.ok(performance.now() - begin < 10_000, 'long before its deadline');
      const { code, signal } = await handle.ended;
      assert.deepEqual([code, signal], how === 'kill' ? [null, 'SIGKILL'] : [how === 'exit' ? 3 : 1, null]);
      await rejectsWith(handle.request({ do: 'echo' }, never), 'IPCM_PEER_GONE', 'IPCM_PEER_UNKNOWN');
    }
  });

  suite.crossProcess(
    'an answer that was delivered is returned, although its service has exited since',
    async (scene) => {
      const bus = await scene.bus();
      const handle = await scene.service(bus, 'helper', helper);
      assert.equal(await handle.request({ do: 'answerAndExit', with: 'the last' }, never), 'the last');
      assert.deepEqual(await handle.ended, { code: 0, signal: null });
      const second = await scene.service(bus, 'helper', helper);
      const id = second.sendRequest({ do: 'answerAndExit', with: 'read late' }, never);
      await second.ended;
      assert.equal(await second.awaitResponse(id), 'read late');
    },
  );

  suite.crossProcess('a service that is stopped, or whose event loop is busy, is waited for', async (scene) => {
    const bus = await scene.bus();
    const observer = await scene.connect(bus, 'observer');
    const handle = await scene.service(bus, 'helper', helper);
    const pid = handle.childPid ?? 0;
    process.kill(pid, 'SIGSTOP');
    await until('it is stopped', () => readProcStat(pid)?.state === 'T');
    const toStopped = handle.request({ do: 'echo', with: 'from one that was stopped' });
    await rejectsWith(handle.request({ do: 'echo' }, { timeout: 700 }), 'IPCM_TIMEOUT');
    process.kill(pid, 'SIGCONT');
    assert.equal(await toStopped, 'from one that was stopped');
    const blocked = handle.request({ do: 'block', with: 800 });
    await takeContents(observer, 1);
    const meanwhile = handle.request({ do: 'echo', with: 'when there was time' });
    assert.deepEqual(await Promise.all([blocked, meanwhile]), ['unblocked', 'when there was time']);
  });

  suite.crossProcess('when a service is killed, what it has started ends too', async (scene) => {
    const bus = await scene.bus();
    const observer = await scene.connect(bus, 'observer');
    const handle = await scene.service(bus, 'outer', helper);
    const [inner = 0] = (await handle.request({ do: 'nest', with: 'inner' })) as number[];
    const worker = (await handle.request({ do: 'work', with: { name: 'patient' } })) as number;
    await takeContents(observer, 1);
    process.kill(handle.childPid ?? 0, 'SIGKILL');
    assert.deepEqual(await takeContents(observer, 1), ['patient was told']);
    await until('they are gone', () => ![inner, worker].some(lives));
    assert.equal(await observer.peerExists('inner'), false);
  });

  suite.test('a service that starts again in its process does not answer for the one before', async (scene) => {
    const bus = await scene.bus();
    const handle = await scene.handle<Ask>(bus, 'helper');
    for (const looks of [false, true]) {
      const { service, ended } = await scene.serve(bus, 'helper', helper);
      const lost = rejectsWith(handle.request({ do: 'hang' }, never), 'IPCM_PEER_GONE');
      if (looks) await handle.request({ do: 'slow', with: 100 });
      else await until('it is in hand', async () => service.counts.open === 1);
      service.end();
      await ended;
      const successor = await scene.serve(bus, 'helper', helper);
      await lost;
      assert.equal(await handle.request({ do: 'echo', with: 'the next' }, never), 'the next');
      successor.service.end();
      await successor.ended;
    }
  });

  suite.test(
    'an answer that was delivered to a busy service is its own, although its sender has left',
    async (scene) => {
      const bus = await scene.bus();
      const asked = await scene.connect(bus, 'asked');
      await scene.serve(bus, 'busy', {
        handleRequest: (_, { service }) => service.peer('asked').request('?', never),
        onAll: () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1),
        onGeneralMessage: () => undefined,
      });
      const handle = await scene.handle(bus, 'busy');
      const answered = handle.request(null, never);
      const { ipcm_request_id: id } = fieldsOf((await take(asked, 1))[0]);
      // Behind so many that it is not read with the first of them.
      const sent = upTo(400).map((n) => asked.sendMessage('busy', n));
      await asked.sendMessage('busy', { ipcm_response_id: id, response: 'the last thing it said' });
      await Promise.all(sent);
      await asked.disconnect();
      assert.equal(await answered, 'the last thing it said');
    },
  );

  suite.crossProcess('a name that was taken over does not answer for the dead', async (scene) => {
    const bus = await scene.bus();
    const handle = await scene.service(bus, 'helper', helper);
    const pending = handle.request({ do: 'hang' }, never);
    // Time enough for a look at who it is that was asked; a successor needs more for its start, if it is no test.
    await handle.request({ do: 'slow', with: 100 });
    const lost = rejectsWith(pending, 'IPCM_PEER_GONE');
    process.kill(handle.childPid ?? 0, 'SIGKILL');
    await handle.ended;
    const successor = await scene.serve(bus, 'helper', helper);
    await lost;
    assert.equal(((await handle.request({ do: 'about' })) as About).pid, successor.service.pid);
  });

  for (const how of ['comes to its end', 'exits', 'fails', 'is killed'] as const) {
    suite.crossProcess(`a process that ${how} takes the service along that it has started`, async (scene) => {
      const child = await scene.child();
      // Whoever is killed removes nothing: only a temporary store is known to be of no use to anybody then.
      const { pid, route } = await scene.serviceIn(child, how === 'is killed' ? { route: undefined } : {});
      assert.ok(lives(pid));
      if (how === 'comes to its end') await child.call('letGo', { waiting: false });
      else if (how === 'is killed') process.kill(child.pid, 'SIGKILL');
      else await child.last(how === 'exits' ? 'exit' : 'fail', { code: 0 });
      await child.ended;
      await until('the service is gone', () => !lives(pid));
      // One that is killed cannot remove it: the service does, when it leaves, or what watches over a private server.
      await until('its store, being guarded, is gone', async () => !(await scene.exists({ route })));
    });
  }

  if (!suite.subject.capabilities.acknowledge) return;
  suite.crossProcess(
    'with ack, what a killed service had in hand comes to its successor, and only that',
    async (scene) => {
      const bus = await scene.bus();
      const plain = await scene.connect(bus, 'plain');
      const options = { connect: { ack: true } };
      const first = await scene.service(bus, 'helper', helper, options);
      await plain.sendMessage('helper', 'a general message');
      const request = { do: 'echo', with: 'answered' };
      await plain.sendMessage('helper', { ipcm_request_id: 'answered', request });
      await plain.sendMessage('helper', { ipcm_request_id: 'in hand', request: { do: 'hang' } });
      assert.deepEqual(await takeContents(plain, 1), [{ ipcm_response_id: 'answered', response: 'answered' }]);
      await first.request({ do: 'echo' });
      // An answer may be out before its request is acknowledged: killed in between, the service would answer it again.
      await until('all but the last has been acknowledged', async () => {
        const { unread } = await bus.sanityDelta();
        return unread.filter(({ to }) => to === 'helper').length === 1;
      });
      process.kill(first.childPid ?? 0, 'SIGKILL');
      await first.ended;
      const second = await scene.service(bus, 'helper', helper, options);
      await until('the request has come again', async () => (await second.info()).open === 1);
      assert.deepEqual(await second.request({ do: 'messages' }), []);
      // Answered before another one was: it is not answered again.
      await hasNothing(plain);
    },
  );
}
