/** Who gets a name when several want it, and what becomes of those who die. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatIdentity, ownIdentity } from '../../src/liveness/identity.ts';
import { processTag } from '../../src/protocols/directory/owner.ts';
import { listPeers } from '../../src/protocols/directory/peers.ts';
import { filesKind } from '../../src/protocols/message-files/kind.ts';
import {
  child,
  connect,
  contents,
  deadIdentity,
  everything,
  filesIn,
  open,
  outgoing,
  Report,
  store,
} from '../fixtures/directory-bus.ts';

const rounds = 25;
const soon = (): number => Date.now() + 15;
const dead = '2147483647\n2147483647 5 - -\n';

test('a live name is taken, a suspended one kept, a free one not to be continued', async (t) => {
  const on = store(t);
  const a = await connect(t, on, 'a');
  await assert.rejects(connect(t, on, 'a'), { code: 'IPCM_NAME_TAKEN', pid: process.pid, client: 'a' });
  await assert.rejects(connect(t, on, 'a', { mode: 'reconnect' }), { code: 'IPCM_NAME_TAKEN' });
  await assert.rejects(connect(t, on, 'b', { mode: 'reconnect' }), { code: 'IPCM_NO_SUCH_CLIENT' });
  await a.suspend(Date.now() / 1000 + 600);
  assert.equal(on.peer('a')?.state, 'suspended');
  await assert.rejects(connect(t, on, 'a'), {
    code: 'IPCM_NAME_TAKEN',
    message: /suspended; reconnect.*wait until 20/,
  });
  const again = await connect(t, on, 'a', { mode: 'reconnect' });
  await again.suspend(undefined);
  assert.equal(on.peer('a')?.expiresAt, undefined);
  await assert.rejects(connect(t, on, 'a'), { code: 'IPCM_NAME_TAKEN' });
});

test('who has died is told and removed also where there is no room to record it', async (t) => {
  const on = store(t);
  const a = await connect(t, on, 'a');
  // Whatever keeps that file from being written: a full disk, for one.
  mkdirSync(join(on.route, '.ipcm/reaped'));
  for (const what of ['send', 'reap', 'connect'] as const) {
    await connect(t, on, 'b', { identity: deadIdentity() });
    const report = new Report();
    if (what === 'send') {
      assert.throws(() => a.deliver('b', outgoing('a', 'b', 1)), { code: 'IPCM_PEER_GONE', peer: 'b' });
    } else if (what === 'reap') {
      assert.equal(on.reap().length, 1);
    } else {
      await (await connect(t, on, 'b', { report })).disconnect();
      assert.equal(report.dead.length, 1);
    }
    assert.deepEqual(filesIn(on.route), ['a', 'a.pid']);
  }
});

test('what is in the way of a name is told, and what to do', async (t) => {
  const on = store(t);
  const path = join(on.route, 'a');
  const refused = async (message: RegExp): Promise<void> =>
    assert.rejects(connect(t, on, 'a'), { code: 'IPCM_NAME_TAKEN', message });
  writeFileSync(path, 'a file where a directory belongs');
  await refused(/a is in the way.*remove it, or use another name$/);
  rmSync(path);
  writeFileSync(`${path}.pid`, 'no pid');
  await refused(/a\.pid cannot be read.*remove it, or use another name$/);
  rmSync(`${path}.pid`);
  await (await connect(t, on, 'a')).disconnect();
});

test('a missed deadline ends a suspension', async (t) => {
  const on = store(t);
  const b = await connect(t, on, 'b');
  for (const what of ['reconnect', 'connect', 'reap', 'send'] as const) {
    const a = await connect(t, on, 'a');
    await b.deliver('a', outgoing('b', 'a', 1, 2));
    await a.suspend(Date.now() / 1000 - 1);
    assert.equal(on.peer('a')?.state, 'dead');
    const report = new Report();
    if (what === 'reconnect') {
      await assert.rejects(connect(t, on, 'a', { mode: 'reconnect', report }), {
        code: 'IPCM_NO_SUCH_CLIENT',
        message: /ended at/,
      });
    } else if (what === 'connect') {
      await (await connect(t, on, 'a', { report })).disconnect();
    } else if (what === 'reap') {
      report.dead.push(...on.reap());
    } else {
      const fresh = await connect(t, on, 'fresh', { report });
      assert.throws(() => fresh.deliver('a', outgoing('fresh', 'a', 3)), { code: 'IPCM_PEER_GONE' });
      await fresh.disconnect();
    }
    assert.deepEqual(report.dead, [{ name: 'a', pid: undefined, lost: 2 }], what);
    assert.equal(on.peer('a'), undefined);
  }
});

test("a dead client's name is free, its entry can be continued, its pid may be used again", async (t) => {
  const on = store(t);
  const b = await connect(t, on, 'b');
  await connect(t, on, 'a', { identity: deadIdentity() });
  await b.deliver('b', outgoing('b', 'b', 1));
  assert.equal(on.peer('a')?.state, 'dead');
  const report = new Report();
  await connect(t, on, 'a', { report });
  assert.deepEqual(report.dead, [{ name: 'a', pid: process.pid, lost: 0 }]);
  await connect(t, on, 'c', { identity: deadIdentity() });
  writeFileSync(
    join(on.route, 'c', '00000000-0000-4000-8000-000000000001.ready'),
    outgoing('b', 'c', 'kept')[0]?.bytes ?? '',
  );
  const c = await connect(t, on, 'c', { mode: 'reconnect' });
  assert.deepEqual(contents(await c.receive(everything)), ['kept']);
});

test('a client that died before its entry was made, or while it left, is in nobody’s way', async (t) => {
  const on = store(t);
  writeFileSync(join(on.route, 'a.pid'), dead);
  assert.deepEqual(on.peers(), []);
  await assert.rejects(connect(t, on, 'a', { mode: 'reconnect' }), { code: 'IPCM_NO_SUCH_CLIENT' });
  await (await connect(t, on, 'a')).disconnect();
  mkdirSync(join(on.route, '_a'));
  writeFileSync(join(on.route, '_a', '00000000-0000-4000-8000-000000000001.ready'), '');
  writeFileSync(join(on.route, 'a.pid'), dead);
  assert.deepEqual(on.reap(), [{ name: 'a', pid: 2_147_483_647, lost: 1 }]);
  assert.deepEqual(filesIn(on.route), []);
});

test('claims that a killed process left are finished or undone', async (t) => {
  const on = store(t);
  const tag = `${processTag({ pid: 2_147_483_647, start: '5', boot: undefined, namespace: undefined })}-abcdef`;
  const claims = join(on.route, '.ipcm/claim');
  const left = (purpose: string): string => join(claims, `${tag}.a.${purpose}`);
  const entry = (path: string): void => {
    mkdirSync(path);
    writeFileSync(join(path, '00000000-0000-4000-8000-000000000001.ready'), '');
  };
  for (const act of ['connect', 'reap']) {
    for (const step of [1, 2, 3]) {
      writeFileSync(left('reap'), dead);
      if (step === 1) entry(join(on.route, 'a'));
      if (step === 2) entry(left('gone'));
      if (step === 1) writeFileSync(join(on.route, 'a.stats'), '{}');
      const report = new Report();
      if (act === 'connect') await (await connect(t, on, 'a', { report })).disconnect();
      else report.dead.push(...on.reap());
      assert.deepEqual(report.dead, [{ name: 'a', pid: 2_147_483_647, lost: step === 3 ? 0 : 1 }], `${act} ${step}`);
      assert.deepEqual(filesIn(on.route), []);
    }
  }
  entry(join(on.route, 'a'));
  writeFileSync(left('take'), dead);
  const again = await connect(t, on, 'a', { mode: 'reconnect' });
  assert.deepEqual(readdirSync(claims), []);
  await again.disconnect();
  entry(left('gone'));
  on.reap();
  assert.deepEqual(readdirSync(claims), []);
});

test('a name that a living process cleans up is not taken meanwhile', async (t) => {
  const on = store(t);
  const path = join(on.route, '.ipcm/claim', `${processTag(ownIdentity())}-abcdef.a.reap`);
  writeFileSync(path, dead);
  await assert.rejects(connect(t, on, 'a'), { code: 'IPCM_NAME_TAKEN', pid: process.pid, message: /cleaning up/ });
  const taking = connect(t, on, 'a');
  rmSync(path);
  await taking;
});

test('a pid file that is not the one judged dead is put back', async (t) => {
  const on = store(t);
  await connect(t, on, 'a');
  const { reapDead } = await import('../../src/protocols/directory/reap.ts');
  const record = (): string => readFileSync(join(on.route, 'a.pid'), 'latin1');
  const before = record();
  const judged = { identity: deadIdentity(), acknowledge: false };
  assert.equal(reapDead({ place: on.place, kind: filesKind, self: ownIdentity() }, 'a', judged), undefined);
  assert.equal(on.peer('a')?.state, 'active');
  assert.equal(record(), before);
  assert.ok(before.split('\n')[1]?.startsWith(`${formatIdentity(ownIdentity())} `));
});

test('of several who want a name, free or dead, exactly one gets it, and it works', { timeout: 60_000 }, async (t) => {
  const on = store(t);
  const me = await connect(t, on, 'me');
  const children = await Promise.all([1, 2, 3].map(() => child(t, on.route)));
  for (let round = 0; round < rounds; round++) {
    for (const left of ['nothing', 'dead', 'suspended', 'acknowledging']) {
      if (left === 'dead') await connect(t, on, 'n/x', { identity: deadIdentity() });
      if (left === 'suspended')
        await (await connect(t, on, 'n/x')).suspend(round % 2 ? undefined : Date.now() / 1000 + 60);
      if (left === 'acknowledging') await connect(t, on, 'n/x', { identity: deadIdentity(), acknowledge: true });
      const mode = left === 'suspended' ? 'reconnect' : 'connect';
      const at = soon();
      const answers = await Promise.all(
        children.map((one) => one.do('connect', 'n/x', mode, left === 'acknowledging', at)),
      );
      const won = answers.findIndex(({ error }) => error === undefined);
      assert.deepEqual(
        answers.filter((_, index) => index !== won).map(({ error }) => error),
        ['IPCM_NAME_TAKEN', 'IPCM_NAME_TAKEN'],
        `${left} ${JSON.stringify(answers)}`,
      );
      const winner = children[won];
      assert.equal(on.peer('n/x')?.identity?.pid, winner?.pid);
      await me.deliver('n/x', outgoing('me', 'n/x', round));
      assert.deepEqual((await winner?.do('receive', 'n/x'))?.result, [round]);
      await winner?.do('disconnect', 'n/x');
      assert.deepEqual(filesIn(on.route), ['me', 'me.pid'], left);
    }
  }
});

test('two reapers and a newcomer: reaped once, and the newcomer unharmed', { timeout: 60_000 }, async (t) => {
  const on = store(t);
  const me = await connect(t, on, 'me');
  const [one, two, newcomer] = await Promise.all([child(t, on.route), child(t, on.route), child(t, on.route)]);
  for (let round = 0; round < rounds; round++) {
    const before = on.reaped().length;
    const expired = round % 3 === 2;
    const lost = await connect(t, on, 'x', { identity: expired ? ownIdentity() : deadIdentity() });
    if (expired) await lost.suspend(Date.now() / 1000 - 1);
    const at = soon();
    const answers = await Promise.all([
      one.do('reap', at),
      two.do('reap', at),
      newcomer.do('connect', 'x', 'connect', false, at),
    ]);
    assert.equal(answers[2].error, undefined);
    assert.equal(on.reaped().length, before + 1);
    assert.equal(on.peer('x')?.identity?.pid, newcomer.pid);
    await me.deliver('x', outgoing('me', 'x', round));
    assert.deepEqual((await newcomer.do('receive', 'x')).result, [round]);
    await newcomer.do('disconnect', 'x');
    assert.deepEqual(filesIn(on.route), ['me', 'me.pid']);
  }
});

test('killed at any moment, a client leaves nothing that a reaper does not clear', { timeout: 60_000 }, async (t) => {
  const on = store(t);
  const sink = await connect(t, on, 'sink');
  for (let round = 0; round < 8; round++) {
    const victim = await child(t, on.route);
    await victim.do('connect', 'victim');
    const rest = victim.do('send', 'victim', 'sink', 1_000_000);
    const enough = 50 + round * 37;
    for (let got = 0; got < enough;) {
      got += (await sink.receive(everything)).length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await victim.kill();
    await rest;
    assert.equal(on.peer('victim')?.state, 'dead');
    assert.equal(on.reap().length, 1);
    await sink.receive(everything);
    assert.deepEqual(filesIn(on.route), ['sink', 'sink.pid']);
  }
});

test('a thousand peers are listed quickly', (t) => {
  const on = store(t, existsSync('/dev/shm') ? '/dev/shm' : '/tmp');
  for (let n = 0; n < 1000; n++) {
    mkdirSync(join(on.route, `peer${n}`));
    writeFileSync(join(on.route, `peer${n}.pid`), String(process.pid));
  }
  const began = performance.now();
  assert.equal(listPeers(on.place, filesKind).length, 1000);
  t.diagnostic(`${(performance.now() - began).toFixed(1)} ms`);
  assert.equal(open(on.route).peers().length, 1000);
});
