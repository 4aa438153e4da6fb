/** The callbacks of a service: each is called when it should be. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Client } from '../../client/client.ts';
import { deferred } from '../../launch/deferred.ts';
import { rejectsWith, takeContents } from '../assertions.ts';
import { upTo } from '../numbered.ts';
import { diary } from '../services/diary.ts';
import type { Suite } from '../suite.ts';

/** One that hangs shall say so, and not take the others with it. */
const inTime = { timeout: 10_000 };

/** Reads until a content passes, and returns it; what comes before is not what is looked for. */
async function hears(observer: Client, what: (content: unknown) => boolean): Promise<unknown> {
  for (;;) {
    const [content] = await takeContents(observer, 1);
    if (what(content)) return content;
  }
}

const is =
  (expected: unknown) =>
  (content: unknown): boolean =>
    JSON.stringify(content) === JSON.stringify(expected);

/** Tests of the callbacks. */
export function serviceCallbackTests(suite: Suite): void {
  suite.crossProcess('each callback of a service is called when it should be', async (scene, context) => {
    const bus = await scene.bus();
    const observer = await scene.connect(bus, 'observer');
    const handle = await scene.service(bus, 'diary', diary);
    const pid = handle.childPid ?? 0;

    await context.test('onStart before anything else, onInterval from then on', inTime, async () => {
      assert.deepEqual(await takeContents(observer, 1), ['start']);
      for (const _ of upTo(3)) await hears(observer, is('interval'));
    });

    await context.test('onPeerDelta when somebody comes and when somebody leaves', inTime, async () => {
      const visitor = await scene.connect(bus, 'visitor');
      await hears(observer, (what) => JSON.stringify(what).includes('"joined":["visitor"'));
      await visitor.disconnect();
      await hears(observer, is({ joined: [], left: ['visitor'] }));
    });

    await context.test('onSig as often as the signal came, and the service goes on', inTime, async () => {
      for (const _ of upTo(3)) {
        process.kill(pid, 'SIGUSR2');
        await hears(observer, is('SIGUSR2'));
      }
      assert.equal(await handle.request('add'), pid);
      await handle.request('remove');
    });

    await context.test('onPid with the exit status of a child that is no worker', inTime, async () => {
      await handle.request('child');
      await hears(observer, is({ ended: [7, null] }));
    });

    await context.test('onGeneralMessage in order, one at a time', inTime, async () => {
      for (const n of upTo(20)) await observer.sendMessage('diary', n);
      const heard: unknown[] = [];
      for (const _ of upTo(20)) heard.push(await hears(observer, (what) => JSON.stringify(what).includes('others')));
      assert.deepEqual(
        heard,
        upTo(20).map((n) => ({ content: n, others: 0 })),
      );
    });

    await context.test('callbacks are added and removed while it runs', inTime, async () => {
      await handle.request('add');
      await observer.sendMessage('diary', 'with');
      assert.deepEqual(await takeContents(observer, 2), ['extra', { content: 'with', others: 0 }]);
      assert.equal(await handle.request('remove'), true);
      assert.equal(await handle.request('remove'), false);
      await observer.sendMessage('diary', 'without');
      assert.deepEqual(await takeContents(observer, 1), [{ content: 'without', others: 0 }]);
    });

    await context.test('shouldEnd ends it, with its cleanup', inTime, async () => {
      await handle.request('end');
      await hears(observer, is('cleanup'));
      assert.deepEqual(await handle.ended, { code: 0, signal: null });
      assert.equal(await observer.peerExists('diary'), false);
    });
  });

  suite.test(
    'a callback that throws ends the service, with its cleanup, unless errors are intercepted',
    async (scene) => {
      const bus = await scene.bus();
      const observer = await scene.connect(bus, 'observer');
      const errors: unknown[] = [];
      const cleaned: string[] = [];
      const body = {
        onGeneralMessage({ content }: { readonly content: unknown }) {
          throw new Error(String(content));
        },
        onError: (error: unknown) => void errors.push(error instanceof Error ? error.message : error),
        onCleanup: ({ name }: { readonly name: string }) => void cleaned.push(name),
      };
      const strict = await scene.serve(bus, 'strict', body);
      const patient = await scene.serve(bus, 'patient', body, { interceptErrors: true });
      await observer.sendMessage('strict', 'the last one');
      await assert.rejects(strict.ended, /the last one/);
      await observer.sendMessage('patient', 'one');
      await observer.sendMessage('patient', 'two');
      await (await scene.handle(bus, 'patient')).info();
      assert.deepEqual([strict.service.state, patient.service.state], ['ended', 'running']);
      await observer.sendMessage('patient', { terminate: 1 });
      await patient.ended;
      assert.deepEqual(
        [errors, cleaned],
        [
          ['one', 'two'],
          ['strict', 'patient'],
        ],
      );
    },
  );

  suite.test('what nobody handles reaches onUnhandled, and everything reaches onAll first', async (scene) => {
    const bus = await scene.bus();
    const sender = await scene.connect(bus, 'sender');
    const seen: unknown[] = [];
    const { service, ended } = await scene.serve(bus, 'service', {
      onAll: ({ message }) => void seen.push(['all', message?.content]),
      onUnhandled: ({ content }) => void seen.push(['unhandled', content]),
      shouldEnd: () => seen.length >= 4,
    });
    await sender.sendMessage('service', 'nobody wants this');
    await sender.sendMessage('service', { ipcm_response_id: 'nor this', response: 1 });
    await ended;
    assert.equal(service.state, 'ended');
    assert.deepEqual(seen, [
      ['all', 'nobody wants this'],
      ['unhandled', 'nobody wants this'],
      ['all', { ipcm_response_id: 'nor this', response: 1 }],
      ['unhandled', { ipcm_response_id: 'nor this', response: 1 }],
    ]);
  });

  suite.test('onPid tells of a child that was started, and has ended, while its service starts', async (scene) => {
    const bus = await scene.bus();
    const told = deferred<unknown[]>();
    const order: string[] = [];
    await scene.serve(bus, 'starting', {
      async onStart() {
        const child = spawn('sh', ['-c', 'exit 7'], { stdio: 'ignore' });
        await once(child, 'exit');
        order.push('started');
      },
      onPid({ code, signal }) {
        order.push('told');
        told.resolve([code, signal]);
      },
    });
    assert.deepEqual(await told.promise, [7, null]);
    assert.deepEqual(order, ['started', 'told']);
  });

  suite.test('a service that cannot start leaves nothing on the bus', async (scene) => {
    const bus = await scene.bus();
    const cleaned: string[] = [];
    const body = {
      onStart: () => Promise.reject(new RangeError('not today')),
      onCleanup: () => void cleaned.push('cleaned'),
    };
    await assert.rejects(scene.serve(bus, 'never', body), RangeError);
    await rejectsWith(scene.serve(bus, 'never', {}, { interval: 0 }), 'IPCM_INVALID_OPTION');
    await rejectsWith(scene.serve(bus, 'never', { concurrency: 0 }), 'IPCM_INVALID_OPTION');
    assert.deepEqual(cleaned, ['cleaned'], 'what it had begun it could end');
    assert.deepEqual(await (await scene.connect(bus, 'a')).peers(), []);
  });
}
