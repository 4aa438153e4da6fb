/** How services are started, by which means, and how they fail to. */
import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import type { ServiceOptions } from '../../service/start.ts';
import { rejectsWith, takeContents } from '../assertions.ts';
import { lives } from '../faults.ts';
import { helper, type About } from '../services/helper.ts';
import type { Suite } from '../suite.ts';
import { until } from '../until.ts';

/** A module of so much text. */
const module = (text: string): URL => new URL(`data:text/javascript,${encodeURIComponent(text)}`);

/** What cannot start: its code, what the error says, and options. */
const failures: readonly (readonly [string, URL | (() => never), RegExp, ServiceOptions?])[] = [
  ['missing', new URL('file:///nowhere/service.js'), /Cannot find module/],
  ['throws', module('throw new TypeError("no service today")'), /no service today/],
  ['wrong', module('export default 7'), /exports 7, which is no service/],
  ['typo', module('export default { handleReqest: (it) => it }'), /no callback of a service.* it has "handleReqest"/],
  ['empty', module('export const a = 1, b = 2'), /no default export and/],
  ['syntax', module('this is no program'), /Unexpected|missing|Invalid/],
  ['exits', module('process.exit(3)'), /exit code 3/],
  ['dies', module('process.kill(process.pid, "SIGKILL"); await new Promise(() => {})'), /SIGKILL/],
  ['talks', module('console.error("the last words"); process.exit(1)'), /the last words/],
  ['flag', module(''), /bad option/, { execArgv: ['--no-such-flag'] }],
  ['command', module(''), /ENOENT/, { wrapper: ['/nowhere/command'] }],
  ['fails', module('export default { onStart() { throw new RangeError("not like this") } }'), /not like this/],
];

/** Tests of starts. */
export function serviceStartTests(suite: Suite): void {
  suite.crossProcess(
    'a service that cannot start is an error at once, with its own error and its last words',
    async (scene) => {
      const bus = await scene.bus();
      const begin = performance.now();
      await Promise.all(
        failures.map(async ([name, what, text, options]) => {
          const error = await rejectsWith(
            scene.service(bus, name, what, { stderr: 'inherit', ...options }),
            'IPCM_SERVICE_FAILED',
          );
          assert.match(error.message, text, name);
          assert.match(error.message, new RegExp(`service "${name}" did not start`));
        }),
      );
      assert.ok(performance.now() - begin < 25_000, 'nobody waited for a timeout');
      const client = await scene.connect(bus, 'client');
      await until('nobody is left', async () => {
        await client.reap();
        return (await client.peers()).length === 0;
      });
    },
  );

  suite.crossProcess('the error of a failed start has the cause, with its name and stack', async (scene) => {
    const failing = scene.service(undefined, 'throws', module('throw new TypeError("no service today")'));
    const { cause, details } = await rejectsWith(failing, 'IPCM_SERVICE_FAILED');
    assert.ok(cause instanceof Error && cause.name === 'TypeError' && cause.stack?.includes('data:'), String(cause));
    assert.deepEqual(details, { stderr: '', code: 1, signal: null });
  });

  suite.crossProcess('a service that is not ready in time is killed, and with it what it holds', async (scene) => {
    const bus = await scene.bus();
    const observer = await scene.connect(bus, 'observer');
    const never = module(`export default {
      async onStart({ client, pid }) {
        await client.sendMessage('observer', pid);
        await new Promise(() => setInterval(() => undefined, 1000));
      },
    }`);
    const starting = scene.service(bus, 'never', never, { startTimeout: 2000 });
    const [[pid]] = await Promise.all([takeContents(observer, 1), rejectsWith(starting, 'IPCM_TIMEOUT')]);
    await until('it is gone', () => !lives(Number(pid)), 5000);
    assert.deepEqual(await observer.peers(), []);
  });

  suite.crossProcess(
    'flags, environment, folder and output are as asked for, and params are nobody else’s to see',
    async (scene) => {
      const bus = await scene.bus();
      const params = { secret: 'hunter2', when: new Date(0), many: new Map([[1, 'one']]) };
      const handle = await scene.service(bus, 'helper', helper, {
        params,
        execArgv: ['--stack-trace-limit=17'],
        env: { IPCM_TEST_VARIABLE: 'set', PWD: undefined },
        cwd: '/',
        wait: false,
      });
      assert.ok(await handle.ready({ timeout: 20_000 }));
      const about = (await handle.request({ do: 'about' })) as About;
      assert.deepEqual([about.execArgv, about.cwd], [['--stack-trace-limit=17'], '/']);
      const environment = JSON.parse(about.environment) as Record<string, unknown>;
      assert.deepEqual([environment['IPCM_TEST_VARIABLE'], environment['PWD']], ['set', undefined]);
      assert.doesNotMatch(about.environment + about.argv.join(' '), /hunter2/);
      assert.equal(about.params, inspect(params));
      await rejectsWith(scene.service(bus, 'b', helper, { params: () => undefined }), 'IPCM_INVALID_OPTION');
    },
  );

  suite.crossProcess('who does not wait for a service learns that it has failed', async (scene) => {
    const bus = await scene.bus();
    const handle = await scene.service(bus, 'failing', module('throw new Error("never")'), { wait: false });
    await rejectsWith(handle.ready({ timeout: 20_000 }), 'IPCM_SERVICE_FAILED');
    await rejectsWith(handle.request('anything', { timeout: 20_000 }), 'IPCM_PEER_UNKNOWN');
    assert.deepEqual(await handle.ended, { code: 1, signal: null });
  });

  suite.crossProcess('a command may stand between: the service is its child, and both end', async (scene) => {
    const bus = await scene.bus();
    const handle = await scene.service(bus, 'helper', helper, { wrapper: ['sh', '-c', '"$@"; exit 5', 'sh'] });
    const { childPid = 0 } = handle;
    const pid = (await handle.servicePid()) ?? 0;
    assert.notEqual(pid, childPid);
    assert.ok(lives(childPid), 'what stands between stays');
    assert.equal(((await handle.request({ do: 'about' })) as About).pid, pid);
    await handle.stop();
    assert.deepEqual(await handle.ended, { code: 5, signal: null });
    await until('the service is gone', () => !lives(pid), 5000);
  });

  suite.crossProcess('an inline function is a service, if it needs nothing around it', async (scene) => {
    const bus = await scene.bus();
    const outside = 1;
    const handle = await scene.service(bus, 'inline', async (request: string) => {
      const { sep } = await import('node:path');
      return request === 'outside' ? outside : request + sep;
    });
    assert.equal(await handle.request('path'), 'path/');
    const error = await rejectsWith(handle.request('outside'), 'IPCM_NOT_SELF_CONTAINED');
    assert.match(error.message, /"outside".*params/);
  });

  suite.crossProcess(
    'services start services: they share the bus, and end with the one that started them',
    async (scene) => {
      const handle = await scene.service(undefined, 'outer', helper);
      const [pid, again, onTheBus] = (await handle.request({ do: 'nest', with: 'inner' })) as number[];
      assert.ok(pid !== undefined && pid !== handle.childPid);
      assert.deepEqual([again, onTheBus], [pid, pid]);
      const to = 'inner';
      const forwarded = await handle.request({ do: 'forward', with: { to, ask: { do: 'about' } } });
      assert.deepEqual([(forwarded as About).pid, (forwarded as About).name], [pid, 'inner']);
      const later = handle.request({ do: 'forwardLater', with: { to, ask: { do: 'echo', with: 'later' } } });
      assert.equal(await later, 'later');
      const failing = handle.request({ do: 'forwardLater', with: { to, ask: { do: 'fail', with: 'inside' } } });
      assert.match((await rejectsWith(failing, 'IPCM_REQUEST_FAILED')).message, /inside/);
      await handle.stop();
      assert.equal(lives(pid), false);
    },
  );
}
