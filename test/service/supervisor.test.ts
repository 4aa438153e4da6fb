import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { ipcmSpawn, isAlive } from '../../src/index.ts';
import {
  ipcmServe,
  ipcmService,
  ipcmServiceHandle,
  ipcmSupervise,
  type Supervisor,
  type SupervisorEvents,
} from '../../src/service/index.ts';
import { RestartLimit } from '../../src/service/restart-limit.ts';
import { until } from '../../src/testing/until.ts';
import { counted, supervising } from '../fixtures/supervised.ts';

const fixture = join(import.meta.dirname, '../fixtures/supervised.ts');

/** A file in which children write when they start and end, and how to make such children. */
class Log {
  readonly file: string;

  constructor(t: TestContext) {
    const directory = mkdtempSync(join(tmpdir(), 'supervisor-test-'));
    t.after(() => rmSync(directory, { recursive: true }));
    this.file = join(directory, 'log');
  }

  lines(): string[] {
    return readFileSync(this.file, 'utf8').trim().split('\n');
  }

  child(name: string, params: object = {}) {
    return { name, service: counted, options: { params: { log: this.file, ...params } } };
  }
}

/** Resolves with the event of a supervisor for a child, or for any. */
async function next<Name extends 'started' | 'exited' | 'restarted'>(
  supervisor: Supervisor,
  event: Name,
  name?: string,
): Promise<SupervisorEvents[Name][0]> {
  for (;;) {
    const [happened] = (await once(supervisor, event)) as SupervisorEvents[Name];
    if (name === undefined || happened.name === name) return happened;
  }
}

function isGone(pid: number | undefined): boolean {
  return pid === undefined || !isAlive({ pid, start: undefined, boot: undefined, namespace: undefined });
}

function pidOf(supervisor: Supervisor, name: string): number {
  return supervisor.children.find((child) => child.name === name)?.pid ?? 0;
}

for (const protocol of ['AtomicPipe', 'UnixSocket', 'ConnectionUnix', 'SQLite', 'MessageFiles']) {
  test(`${protocol}: a child that is killed is started again, and is asked by the same handle`, async (t) => {
    const log = new Log(t);
    await using supervisor = await ipcmSupervise({
      spawn: { protocol },
      children: [log.child('one'), log.child('two')],
    });
    const one = supervisor.child<string, number>('one');
    const [first, other] = [pidOf(supervisor, 'one'), pidOf(supervisor, 'two')];
    assert.equal(await one.request('pid'), first);
    const open = assert.rejects(one.request('hang'), { code: 'IPCM_PEER_GONE' });
    const [exited, restarted] = [next(supervisor, 'exited'), next(supervisor, 'restarted')];
    process.kill(first, 'SIGKILL');
    const { error, ...exit } = await exited;
    assert.deepEqual(exit, { name: 'one', pid: first, code: null, signal: 'SIGKILL' });
    assert.equal(error, undefined);
    await open;
    const { pid, ...rest } = await restarted;
    assert.deepEqual(rest, { name: 'one', restarts: 1 });
    assert.notEqual(pid, first);
    assert.equal(await one.request('pid'), pid);
    assert.equal(pidOf(supervisor, 'two'), other, 'the other one was not touched');
  });
}

test('children are started in order and ended in reverse, each when the one before is done', async (t) => {
  const log = new Log(t);
  const children = [log.child('a', { slow: 50 }), log.child('b', { slow: 100 }), log.child('c', { slow: 150 })];
  const supervisor = await ipcmSupervise({ children });
  assert.deepEqual(log.lines(), ['start a', 'start b', 'start c']);
  const pids = supervisor.children.map(({ pid }) => pid);
  const report = await supervisor.stop();
  assert.deepEqual(log.lines().slice(3), ['end c', 'end b', 'end a']);
  assert.deepEqual(report?.reaped, []);
  assert.ok(pids.every(isGone));
  assert.equal(supervisor.state, 'ended');
  assert.equal(await supervisor.ended, await supervisor.stop(), 'once more is fine');
});

test('oneForAll: all are started again when one fails', async (t) => {
  const log = new Log(t);
  const children = [log.child('a'), log.child('b'), { ...log.child('c'), restart: 'temporary' as const }];
  await using supervisor = await ipcmSupervise({ strategy: 'oneForAll', children });
  const restarted = next(supervisor, 'restarted', 'b');
  process.kill(pidOf(supervisor, 'b'), 'SIGKILL');
  await restarted;
  assert.deepEqual(log.lines().slice(3), ['end c', 'end a', 'start a', 'start b']);
  assert.equal(pidOf(supervisor, 'c'), 0, 'a temporary one is not started again');
});

test('restForOne: those behind it are started again', async (t) => {
  const log = new Log(t);
  const children = [log.child('a'), log.child('b'), log.child('c')];
  await using supervisor = await ipcmSupervise({ strategy: 'restForOne', children });
  const restarted = next(supervisor, 'restarted', 'c');
  process.kill(pidOf(supervisor, 'b'), 'SIGKILL');
  await restarted;
  assert.deepEqual(log.lines().slice(3), ['end c', 'start b', 'start c']);
});

test('permanent, transient, temporary', async (t) => {
  const log = new Log(t);
  const children = (['permanent', 'transient', 'temporary'] as const).map((restart) => ({
    ...log.child(restart),
    restart,
  }));
  await using supervisor = await ipcmSupervise({ intensity: 100, children });
  /** Ends a child, and tells whether it runs again once another, which ended after it, does. */
  const comesBack = async (name: string, how: string): Promise<boolean> => {
    const exited = next(supervisor, 'exited', name);
    assert.equal(await supervisor.child(name).request(how), 'ending');
    const { code, error } = await exited;
    assert.deepEqual([code, error?.message], how === 'fail' ? [1, 'as asked'] : [0, undefined]);
    const after = next(supervisor, 'restarted', 'permanent');
    process.kill(pidOf(supervisor, 'permanent'), 'SIGKILL');
    await after;
    return pidOf(supervisor, name) !== 0;
  };
  assert.equal(await comesBack('transient', 'fail'), true);
  assert.equal(await comesBack('transient', 'return'), false);
  assert.equal(await comesBack('temporary', 'fail'), false);
  const restarted = next(supervisor, 'restarted', 'permanent');
  await supervisor.child('permanent').request('return');
  await restarted;
});

test('a child that ends again and again makes the supervisor give up, and end all', async (t) => {
  const log = new Log(t);
  const children = [log.child('steady'), log.child('crash', { atOnce: 'throw' })];
  const supervisor = await ipcmSupervise({ intensity: 2, period: 60_000, children });
  const steady = pidOf(supervisor, 'steady');
  const [error] = (await once(supervisor, 'gaveUp')) as SupervisorEvents['gaveUp'];
  assert.equal(error.code, 'IPCM_RESTART_LIMIT');
  assert.deepEqual(error.details, { child: 'crash', intensity: 2, period: 60_000 });
  await assert.rejects(supervisor.ended, error);
  assert.equal(log.lines().filter((line) => line === 'start crash').length, 3, 'the first time and two more');
  assert.ok(isGone(steady));
  assert.ok(log.lines().includes('end steady'), 'by its own will');
  await supervisor.stop();
});

test('a child that does not start ends those before it, and its error is told', async (t) => {
  const log = new Log(t);
  const broken = { name: 'broken', service: { onStart: () => Promise.reject(new Error('no, not today')) } };
  await assert.rejects(ipcmSupervise({ children: [log.child('a'), broken, log.child('c')] }), (error: Error) => {
    assert.match(error.message, /IPCM|"broken" did not start: no, not today/);
    return true;
  });
  assert.deepEqual(log.lines(), ['start a', 'end a']);
});

test('one that does not end in its grace is killed', async (t) => {
  const log = new Log(t);
  const supervisor = await ipcmSupervise({ children: [log.child('a'), { ...log.child('stuck'), grace: 50 }] });
  const stuck = pidOf(supervisor, 'stuck');
  const blocked = assert.rejects(supervisor.child('stuck').request('block'));
  await supervisor.child('a').request('pid');
  await supervisor.stop();
  await blocked;
  assert.ok(isGone(stuck));
  assert.deepEqual(log.lines(), ['start a', 'start stuck', 'end a']);
});

test('one that is stopped, and takes no more messages, is killed too', { timeout: 20_000 }, async () => {
  const supervisor = await ipcmSupervise({
    spawn: { protocol: 'AtomicPipe' },
    children: [{ name: 'stopped', service: counted, grace: 200, options: { params: {} } }],
  });
  const pid = pidOf(supervisor, 'stopped');
  process.kill(pid, 'SIGSTOP');
  const asked = Array.from({ length: 300 }, () => supervisor.child('stopped').request('x'.repeat(20_000)));
  await Promise.all([supervisor.stop(), Promise.allSettled(asked)]);
  assert.ok(isGone(pid));
});

test('a supervisor that is killed leaves no process behind; one that gets SIGTERM ends them in order', async (t) => {
  const log = new Log(t);
  await using bus = await ipcmSpawn({ sanityCheck: false });
  const start = async () => {
    const program = spawn(process.execPath, [fixture, bus.info, log.file], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(program.stdout, 'data')) as [Buffer];
    return { program, pids: JSON.parse(line.toString()) as number[] };
  };
  const observer = await bus.connect('observer');
  const killed = await start();
  killed.program.kill('SIGKILL');
  await observer.waitForPeersGone(['first', 'second'], { timeout: 20_000 });
  // Its children held its stdout: this waits for them as well, almost to their end.
  await once(killed.program, 'close');
  while (!killed.pids.every(isGone)) await new Promise(setImmediate);

  const ended = await start();
  ended.program.kill('SIGTERM');
  assert.deepEqual(await once(ended.program, 'close'), [0, null]);
  assert.deepEqual(log.lines().slice(-2), ['end second', 'end first']);
  assert.ok(ended.pids.every(isGone));
  await observer.disconnect();
});

for (const protocol of ['AtomicPipe', 'ConnectionUnix', 'SQLite', 'MessageFiles']) {
  test(`${protocol}: a supervisor ends when the bus is shut down, and starts nothing again`, async (t) => {
    const log = new Log(t);
    const bus = await ipcmSpawn({ protocol, sanityCheck: false });
    const supervisor = await ipcmSupervise({ ipcmInfo: bus.info, children: [log.child('a'), log.child('b')] });
    const pids = supervisor.children.map(({ pid }) => pid);
    await bus.shutdown();
    assert.equal(await supervisor.ended, undefined);
    assert.ok(pids.every(isGone));
    assert.equal(log.lines().filter((line) => line.startsWith('start')).length, 2);
  });
}

test('a supervisor of a service starts nothing again when the bus is shut down', async (t) => {
  const log = new Log(t);
  const bus = await ipcmSpawn({ sanityCheck: false });
  const handle = await ipcmService('parent', supervising, { ipcmInfo: bus.info, params: { log: log.file } });
  const asked = handle.request(null).catch(() => undefined);
  await until('it has been asked', async () => (await handle.info()).open > 0);
  await bus.shutdown();
  await asked;
  await until('it has ended', () => isGone(handle.childPid));
  assert.equal(log.lines().filter((line) => line.startsWith('start')).length, 2);
});

test('a supervisor that is part of a service uses its bus and stops with it', async (t) => {
  const log = new Log(t);
  await using bus = await ipcmSpawn();
  let supervisor: Supervisor | undefined;
  const { service, ended } = await ipcmServe('parent', bus, {
    async onStart(parent) {
      supervisor = await ipcmSupervise({ parent, children: [log.child('a'), log.child('b')] });
    },
    handleRequest: (request) => supervisor?.child('b').request(request),
  });
  const handle = await ipcmServiceHandle('parent', bus);
  assert.equal(await handle.request('pid'), supervisor?.children[1]?.pid);
  service.end();
  await ended;
  assert.deepEqual(log.lines().slice(2), ['end b', 'end a']);
  assert.equal(supervisor?.state, 'ended');
  await handle.stop();
});

test('with intensity 0 the first end is the last', async (t) => {
  const log = new Log(t);
  const supervisor = await ipcmSupervise({ intensity: 0, children: [log.child('a')] });
  process.kill(pidOf(supervisor, 'a'), 'SIGKILL');
  await assert.rejects(supervisor.ended, { code: 'IPCM_RESTART_LIMIT' });
  assert.deepEqual(log.lines(), ['start a']);
});

/** A wrapper of two processes: it does not become the service, and waits for it. */
const waiting = ['sh', '-c', '"$@"; exit $?', 'sh'];

test('a child behind a wrapper is killed with it, and started again', async (t) => {
  const log = new Log(t);
  const { options, ...child } = log.child('wrapped');
  const children = [{ ...child, options: { ...options, wrapper: waiting }, grace: 200 }];
  const supervisor = await ipcmSupervise({ children });
  const first = pidOf(supervisor, 'wrapped');
  const restarted = next(supervisor, 'restarted');
  process.kill(first, 'SIGKILL');
  const { pid: second } = await restarted;
  assert.notEqual(second, first);
  const blocked = assert.rejects(supervisor.child('wrapped').request('block'));
  await until('it is at it', async () => (await supervisor.child('wrapped').ready()) === true);
  await supervisor.stop();
  await blocked;
  assert.ok(isGone(second), 'SIGKILL reached the service, not the wrapper alone');
});

test('a wrapper that leaves something behind does not keep its child from being started again', async (t) => {
  const log = new Log(t);
  const { options, ...child } = log.child('left');
  const wrapper = ['sh', '-c', 'sleep 300 & echo $! >> "$0"; exec "$@"', `${log.file}.pids`];
  await using supervisor = await ipcmSupervise({ children: [{ ...child, options: { ...options, wrapper } }] });
  const restarted = next(supervisor, 'restarted');
  process.kill(pidOf(supervisor, 'left'), 'SIGKILL');
  await restarted;
  assert.equal(await supervisor.child('left').request('pid'), pidOf(supervisor, 'left'));
  const sleepers = readFileSync(`${log.file}.pids`, 'utf8').trim().split('\n').map(Number);
  for (const pid of sleepers) process.kill(pid, 'SIGKILL');
});

test('a supervisor that is told to stop while a child starts kills it after its grace', async () => {
  const endless = { onStart: () => new Promise<void>(() => undefined), handleRequest: () => null };
  const bus = await ipcmSpawn({ sanityCheck: false });
  const observer = await bus.connect('observer');
  const children = [{ name: 'endless', service: endless, grace: 100 }];
  const supervised = assert.rejects(ipcmSupervise({ ipcmInfo: bus.info, children, handleSignals: true }), {
    code: 'IPCM_SERVICE_FAILED',
  });
  await until('it starts', () => observer.peerActive('endless'));
  process.kill(process.pid, 'SIGTERM');
  await supervised;
  await observer.disconnect();
  await bus.unspawn();
});

test('a child that has more to do than it can is restarted all the same when it is killed', async (t) => {
  const log = new Log(t);
  await using supervisor = await ipcmSupervise({ children: [log.child('busy')] });
  const busy = supervisor.child<string, number>('busy');
  const asked = Array.from({ length: 500 }, () => assert.rejects(busy.request('hang'), { code: 'IPCM_PEER_GONE' }));
  const restarted = next(supervisor, 'restarted');
  process.kill(pidOf(supervisor, 'busy'), 'SIGKILL');
  await Promise.all(asked);
  await restarted;
  assert.equal(await busy.request('pid'), pidOf(supervisor, 'busy'));
});

test('a start and a grace may take as long as they like', async () => {
  const slow = { handleRequest: () => null, onCleanup: () => new Promise<void>((resolve) => setTimeout(resolve, 300)) };
  const child = { name: 'slow', service: slow, grace: Infinity, options: { startTimeout: Infinity } };
  const supervisor = await ipcmSupervise({ children: [child] });
  const exit = await ipcmService('other', slow, { startTimeout: Infinity });
  await exit.stop({ timeout: Infinity });
  assert.deepEqual(await exit.ended, { code: 0, signal: null });
  await supervisor.stop();
});

test('options that cannot be are refused before anything is started', async () => {
  const child = { name: 'a', service: counted };
  for (const [options, message] of [
    [{ children: [child, child] }, /different names/],
    [{ children: [child], strategy: 'all' }, /strategy/],
    [{ children: [{ ...child, restart: 'often' }] }, /restart/],
    [{ children: [{ ...child, options: { daemonize: true } }] }, /daemonize/],
    [{ children: [child], intensity: -1 }, /intensity/],
    [{ children: [{ name: 'b', service: './relative.ts' }] }, /no URL and no absolute path/],
  ] as const) {
    await assert.rejects(ipcmSupervise(options as never), { code: 'IPCM_INVALID_OPTION', message });
  }
  await assert.rejects(ipcmSupervise({ children: [child], spawn: { protocol: 'LocalMemory' } }), {
    code: 'IPCM_NOT_SUPPORTED',
  });
});

test('the limit counts what happened within the period', () => {
  const limit = new RestartLimit(2, 100);
  assert.deepEqual(
    [0, 10, 120, 125, 130].map((now) => limit.allows(now)),
    [true, true, true, true, false],
  );
});
