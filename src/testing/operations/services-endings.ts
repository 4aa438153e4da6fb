/** How services come to their end: each time with cleanup, and off the bus. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { isIpcError } from '../../errors.ts';
import { deferred } from '../../launch/deferred.ts';
import type { Service } from '../../service/definition.ts';
import { hasNothing, rejectsWith, take, takeContents } from '../assertions.ts';
import { lives } from '../faults.ts';
import { upTo } from '../numbered.ts';
import { diary } from '../services/diary.ts';
import { helper, type About } from '../services/helper.ts';
import type { Suite } from '../suite.ts';
import { until } from '../until.ts';

/** Tests of endings. */
export function serviceEndingTests(suite: Suite): void {
  suite.crossProcess('SIGTERM, SIGINT and SIGHUP end a service with its cleanup', async (scene) => {
    const bus = await scene.bus();
    const observer = await scene.connect(bus, 'observer');
    const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
    const cleanups = new Set<string>();
    // From the beginning: who writes to one that does not read may have to wait, and answer nobody meanwhile.
    const heard = (async () => {
      for await (const { from, content } of observer.messages({ timeout: 20_000 })) {
        if (content === 'cleanup') cleanups.add(from);
        if (cleanups.size === signals.length) break;
      }
    })();
    const handles = await Promise.all(signals.map((signal) => scene.service(bus, signal, diary)));
    const pending = handles.map((handle) => handle.request('child'));
    await Promise.all(pending);
    handles.forEach((handle, at) => process.kill(handle.childPid ?? 0, signals[at]));
    await heard;
    assert.deepEqual(cleanups, new Set(signals));
    for (const handle of handles) assert.deepEqual(await handle.ended, { code: 0, signal: null }, handle.name);
    assert.deepEqual(
      (await observer.peers()).filter((name) => name.startsWith('SIG') && !name.includes('-')),
      [],
    );
  });

  suite.crossProcess('what nobody catches ends a service with its cleanup', async (scene) => {
    const bus = await scene.bus();
    const observer = await scene.connect(bus, 'observer');
    for (const how of ['throw', 'reject'] as const) {
      const handle = await scene.service(bus, how, diary, { stderr: 'ignore', drainTimeout: 60_000 });
      await handle.request(how);
      for (let heard: unknown; heard !== 'cleanup'; [heard] = await takeContents(observer, 1));
      assert.deepEqual(await handle.ended, { code: 1, signal: null });
    }
  });

  suite.test('a service that is asked to end while it starts does not finish its start first', async (scene) => {
    const bus = await scene.bus();
    const plain = await scene.connect(bus, 'plain');
    const cleaned: string[] = [];
    const starting = deferred<void>();
    const served = scene.serve(bus, 'slow', {
      drainTimeout: 20,
      async onStart() {
        starting.resolve();
        await new Promise(() => undefined);
      },
      onCleanup: ({ name }: Service) => void cleaned.push(name),
    });
    await starting.promise;
    await plain.sendMessage('slow', { terminate: 1 });
    const { service, ended } = await served;
    await ended;
    assert.deepEqual([service.state, cleaned], ['ended', ['slow']]);
  });

  suite.crossProcess('SIGTERM ends a service that is starting, and whoever started it knows at once', async (scene) => {
    const bus = await scene.bus();
    const observer = await scene.connect(bus, 'observer');
    const starting = {
      drainTimeout: 20,
      async onStart({ client, pid }: Service) {
        await client.sendMessage('observer', pid);
        await new Promise(() => undefined);
      },
      onCleanup: ({ client }: Service) => client.sendMessage('observer', 'cleanup'),
    };
    const failed = rejectsWith(scene.service(bus, 'starting', starting), 'IPCM_SERVICE_FAILED');
    const [pid] = await takeContents(observer, 1);
    process.kill(Number(pid), 'SIGTERM');
    assert.match((await failed).message, /ended during its start, by SIGTERM$/);
    assert.deepEqual(await takeContents(observer, 1), ['cleanup']);
  });

  suite.crossProcess("the store's signal reaches a service before the terminate message", async (scene) => {
    const bus = await scene.bus({ signal: 'USR2' });
    const observer = await scene.connect(bus, 'observer');
    const handle = await scene.service(bus, 'diary', diary);
    const heard = (async () => {
      const all: unknown[] = [];
      for await (const { content } of observer.messages({ terminate: true, timeout: 10_000 })) {
        all.push(content);
        if (content === 'cleanup') break;
      }
      return all;
    })();
    const shutdown = bus.shutdown({ timeout: 10_000 });
    const all = await heard;
    assert.ok(all.includes('SIGUSR2'), JSON.stringify(all));
    await shutdown;
    assert.deepEqual(await handle.ended, { code: 0, signal: null });
  });

  suite.test('a service ends, with its cleanup, when a process that it watches does', async (scene) => {
    const bus = await scene.bus();
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    await once(child, 'spawn');
    let cleaned = false;
    const body = { onCleanup: () => void (cleaned = true) };
    const { service, ended } = await scene.serve(bus, 'watching', body, { watchPids: [process.pid, child.pid ?? 0] });
    assert.equal(service.state, 'running');
    child.kill('SIGKILL');
    await ended;
    assert.ok(cleaned);
    const late = await scene.serve(bus, 'too late', {}, { watchPids: [child.pid ?? 0] });
    await late.ended;
    await rejectsWith(scene.serve(bus, 'wrong', {}, { watchPids: [0] }), 'IPCM_INVALID_OPTION');
  });

  suite.test('terminate asks a service of anybody to end; end() with a reason is a failure', async (scene) => {
    const bus = await scene.bus();
    const one = await scene.serve(bus, 'one', {});
    const two = await scene.serve(bus, 'two', {});
    const handle = await scene.handle(bus, 'one');
    await handle.terminate({ timeout: 10_000 });
    await one.ended;
    await handle.terminate();
    two.service.end(new Error('the reason'));
    two.service.end();
    await assert.rejects(two.ended, /the reason/);
  });

  suite.test('the end waits for requests in hand, as long as the service allows', async (scene) => {
    const bus = await scene.bus();
    const { service } = await scene.serve(bus, 'helper', helper, { drainTimeout: 10_000 });
    const handle = await scene.handle(bus, 'helper');
    const pending = handle.request({ do: 'slow', with: 100 });
    const [hanging, reason] = [new AbortController(), new Error('enough')];
    const held = handle.request({ do: 'hang', with: 'in hand' }, { signal: hanging.signal });
    await handle.request({ do: 'echo' });
    service.end();
    await pending;
    assert.equal(service.state, 'ending');
    hanging.abort(reason);
    await assert.rejects(held, (error) => error === reason);
    const impatient = await scene.serve(bus, 'impatient', helper, { drainTimeout: 20 });
    const second = await scene.handle(bus, 'impatient');
    const lost = rejectsWith(second.request({ do: 'hang' }, { timeout: 20_000 }), 'IPCM_PEER_GONE');
    await second.request({ do: 'echo' });
    impatient.service.end();
    await impatient.ended;
    await lost;
  });

  suite.test('at its end a service drains what it has sent, for as long as its client allows', async (scene) => {
    const bus = await scene.bus();
    const observer = await scene.connect(bus, 'observer');
    const count = 200;
    const content = 'x'.repeat(50_000);
    const body = {
      onCleanup: ({ client }: Service) => {
        for (const _ of upTo(count)) client.sendMessage('observer', content).catch(() => undefined);
      },
    };
    const patient = await scene.serve(bus, 'patient', body);
    patient.service.end();
    assert.equal((await take(observer, count)).length, count);
    await patient.ended;
    const impatient = await scene.serve(bus, 'impatient', body, { connect: { drainTimeout: 50 } });
    impatient.service.end();
    // Nobody reads: on some protocols the store has room for all of it, on others the rest is given up, and counted.
    const left = await impatient.ended.then(
      () => 0,
      (error: unknown) => {
        assert.ok(isIpcError(error, 'IPCM_UNDELIVERED'), String(error));
        return (error.details as { readonly messages: number }).messages;
      },
    );
    assert.ok(left < count);
    const arrived = await take(observer, count - left);
    assert.deepEqual(new Set(arrived.map((message) => message.content)), new Set([content]));
    // What was cut off in the midst by the end of its sender is no message.
    await hasNothing(observer);
  });

  suite.crossProcess(
    'a handle made with its store takes the store along, and tells what its service was',
    async (scene) => {
      const handle = await scene.service(undefined, 'helper', helper);
      const { bus } = handle;
      assert.ok(bus !== undefined);
      assert.equal(handle.ipcmInfo, bus.info);
      const { pid } = (await handle.request({ do: 'about' })) as About;
      const report = await handle.stop();
      assert.deepEqual([report?.remaining, report?.clientErrors], [[], []]);
      assert.equal(await handle.stop(), report, 'twice is fine');
      assert.deepEqual(await handle.ended, { code: 0, signal: null });
      assert.equal(lives(pid), false);
      assert.equal(await scene.exists(bus), false);
      await rejectsWith(handle.request({ do: 'echo' }), 'IPCM_NOT_CONNECTED');
    },
  );

  suite.crossProcess('a service that does not end is killed by the handle that started it', async (scene) => {
    const bus = await scene.bus();
    const observer = await scene.connect(bus, 'observer');
    const handle = await scene.service(bus, 'stuck', helper);
    const blocked = handle.request({ do: 'block', with: 60_000 });
    await takeContents(observer, 1);
    await Promise.all([handle.stop({ timeout: 100 }), rejectsWith(blocked, 'IPCM_NOT_CONNECTED', 'IPCM_PEER_GONE')]);
    assert.deepEqual(await handle.ended, { code: null, signal: 'SIGKILL' });
    await until('it is off the bus', async () => !(await observer.peerExists('stuck')), 2000);
  });

  if (suite.subject.capabilities.capacity === Infinity) return;
  suite.crossProcess('so is one that is stopped, and whose inbox is full', async (scene) => {
    const bus = await scene.bus();
    const handle = await scene.service(bus, 'stopped', helper);
    process.kill(handle.childPid ?? 0, 'SIGSTOP');
    const lost: Promise<unknown>[] = [];
    while (handle.client.pendingSends < 10 && lost.length < 1000) {
      const asked = handle.request({ do: 'echo', with: 'x'.repeat(20_000) });
      lost.push(rejectsWith(asked, 'IPCM_NOT_CONNECTED', 'IPCM_PEER_GONE'));
      await new Promise(setImmediate);
    }
    await rejectsWith(handle.terminate({ timeout: 100 }), 'IPCM_TIMEOUT');
    await handle.stop({ timeout: 100 });
    await Promise.all(lost);
    assert.deepEqual(await handle.ended, { code: null, signal: 'SIGKILL' });
  });
}
