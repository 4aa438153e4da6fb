import assert from 'node:assert/strict';
import { createHash, randomFillSync } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isAlive } from '../../src/index.ts';
import { Sandbox, values, type Running } from './run.ts';

/** The same counts by one process in one go. */
function countAlone(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [match] of text.matchAll(/[\p{L}\p{N}]+(?:['’][\p{L}\p{N}]+)*/gu)) {
    const word = match.toLowerCase();
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

function linesIn(bytes: Uint8Array): number {
  let lines = 0;
  for (const byte of bytes) if (byte === 10) lines++;
  return bytes.length > 0 && bytes.at(-1) !== 10 ? lines + 1 : lines;
}

async function check(sandbox: Sandbox, bytes: Uint8Array, ...options: string[]): Promise<void> {
  const file = join(sandbox.directory, 'text');
  writeFileSync(file, bytes);
  const args = ['demo', file, '--json', '--top', '1000000', ...options];
  const { code, stdout, stderr } = await sandbox.run(args);
  assert.equal(code, 0, stderr);
  const rows = values(stdout);
  const summary = rows.pop();
  const expected = countAlone(Buffer.from(bytes).toString('utf8'));
  const sorted = [...expected].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  assert.deepEqual(
    rows,
    sorted.map(([word, count]) => ({ word, count })),
  );
  const { seconds, messages, protocol, serializer, counters, ...totals } = summary ?? {};
  assert.deepEqual(
    [typeof seconds, typeof messages, protocol, typeof serializer, typeof counters],
    ['number', 'number', 'AtomicPipe', 'string', 'number'],
  );
  const lines = linesIn(bytes);
  const words = [...expected.values()].reduce((a, b) => a + b, 0);
  assert.deepEqual(totals, {
    summary: true,
    bytes: bytes.length,
    linesRead: lines,
    linesCounted: lines,
    words,
    different: expected.size,
  });
}

/** Text that does not repeat itself, the same in every run. */
function* numbers(): Generator<number, never, void> {
  for (let state = 12_345; ;) yield (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648);
}

function prose(words: number, separators: readonly string[]): Buffer {
  const random = numbers();
  const parts: string[] = [];
  for (let n = 0; n < words; n++) {
    const value = random.next().value;
    const word = (value >>> 3) % 5000;
    parts.push(word % 7 === 0 ? `Straße${word}` : word % 11 === 0 ? `don't${word}` : `W${word.toString(36)}`);
    parts.push(separators[(value >>> 16) % separators.length] ?? ' ');
  }
  return Buffer.from(parts.join(''));
}

test('an empty file', (t) => check(new Sandbox(t), Buffer.alloc(0)));
test('one line without a line feed', (t) => check(new Sandbox(t), Buffer.from("Don't panic, DON'T")));
test('CRLF, a BOM and empty lines', (t) => check(new Sandbox(t), Buffer.from('\ufeffone\r\ntwo\r\n\r\n\n\nThree one')));
test('prose over many messages', (t) => check(new Sandbox(t), prose(200_000, [' ', ' ', ', ', '\n', '\r\n', ' — '])));
test('one long line, one counter', (t) => check(new Sandbox(t), prose(100_000, [' ', '\t', '„']), '--counters', '1'));
test('random bytes', (t) => check(new Sandbox(t), randomFillSync(new Uint8Array(1_000_000)), '--counters', '3'));
test('multi-byte characters across chunks', (t) => check(new Sandbox(t), Buffer.from(`x${'äöü𝔸𐐀 '.repeat(30_000)}`)));

test('words longer than a message', (t) => {
  const texts = ['a'.repeat(200_000), 'É'.repeat(100_000), "it's".repeat(100_000), '’'.repeat(150_000), 'b'];
  return check(new Sandbox(t), Buffer.from(`${texts.join(' ')}\n${texts.join('-')}`), '--serializer', 'JSON');
});

test('many counters for few lines', (t) => check(new Sandbox(t), Buffer.from('a b\nb c\n'), '--counters', '12'));

test('100 MB in one line, a single word', async (t) => {
  const sandbox = new Sandbox(t);
  const running = sandbox.start(['demo', '-', '--json']);
  const size = 100_000_000;
  const chunk = Buffer.alloc(1_000_000, 'A');
  for (let sent = 0; sent < size; sent += chunk.length) {
    if (running.child.stdin?.write(chunk) === false)
      await new Promise((resolve) => running.child.stdin?.once('drain', resolve));
  }
  running.end();
  const { code, stdout, stderr } = await running.ended;
  assert.equal(code, 0, stderr);
  const hash = createHash('sha256');
  for (let n = 0; n < size; n += chunk.length) hash.update('a'.repeat(chunk.length));
  const [row, summary] = values(stdout);
  assert.deepEqual(row, { word: `${'a'.repeat(40)}… (${size} characters, sha256 ${hash.digest('hex')})`, count: 1 });
  assert.deepEqual(
    [summary?.['linesRead'], summary?.['linesCounted'], summary?.['words'], summary?.['bytes']],
    [1, 1, 1, size],
  );
});

test('the README by default, as a table with a summary', async (t) => {
  const sandbox = new Sandbox(t);
  const readme = join(import.meta.dirname, '../../README.md');
  const { code, stdout, stderr } = await sandbox.run(['demo', '--top', '3', readme]);
  assert.equal(code, 0, stderr);
  const lines = linesIn(readFileSync(readme)).toLocaleString('en-US');
  assert.match(
    stdout,
    new RegExp(`^COUNT +WORD\\n( *\\d+ +\\S+\\n){3}${lines} lines read, ${lines} counted; .* over AtomicPipe with `),
  );
  assert.equal(stderr, '');
});

test('a demo whose reader goes away ends quietly', async (t) => {
  const sandbox = new Sandbox(t);
  const running = sandbox.start(['demo', import.meta.filename]);
  running.child.stdout?.destroy();
  const { code, stderr } = await running.ended;
  assert.deepEqual([code, stderr], [0, '']);
});

/** The processes of a running demo, by role. */
function rolesOf({ pid }: Running): Map<string, number> {
  const roles = new Map<string, number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const parent = / \d+ \([^]*\) \S (\d+)/.exec(` ${readFileSync(`/proc/${entry}/stat`, 'latin1')}`)?.[1];
      const args = readFileSync(`/proc/${entry}/cmdline`, 'latin1').split('\0');
      const role = args[args.indexOf('demo-role') + 1];
      if (Number(parent) === pid && args.includes('demo-role') && role !== undefined) roles.set(role, Number(entry));
    } catch {
      // A process that has ended while we were looking.
    }
  }
  return roles;
}

const onLinux = { skip: process.platform === 'linux' ? false : 'looks for processes in /proc' };

/** Starts a demo on endless input and waits until it counts: its input is taken faster than pipes alone can hold. */
async function endless(sandbox: Sandbox): Promise<Running> {
  const running = sandbox.start(['demo', '-', '--counters', '2']);
  const chunk = prose(50_000, [' ', '\n']);
  for (let n = 0; n < 5; n++) {
    await new Promise<void>((resolve) => running.child.stdin?.write(chunk, () => resolve()));
  }
  return running;
}

for (const role of ['counter-2', 'reader', 'collector']) {
  test(`a demo whose ${role} is killed fails at once and leaves nothing`, onLinux, async (t) => {
    const sandbox = new Sandbox(t);
    const running = await endless(sandbox);
    const roles = rolesOf(running);
    assert.deepEqual([...roles.keys()].sort(), ['collector', 'counter-1', 'counter-2', 'reader']);
    const victim = roles.get(role) ?? 0;
    process.kill(victim, 'SIGKILL');
    const { code, stderr } = await running.ended;
    assert.equal(code, 4);
    assert.match(
      stderr,
      new RegExp(`^ipcm: IPCM_PEER_GONE: demo: the process of ${role} \\(pid ${victim}\\) was killed by SIGKILL`),
    );
    for (const pid of roles.values()) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  });
}

test('the processes of a demo that is killed end with it, and reap removes its store', onLinux, async (t) => {
  const sandbox = new Sandbox(t);
  const running = await endless(sandbox);
  const roles = rolesOf(running);
  running.kill('SIGKILL');
  // Its children hold our end of its stdout: this waits for them as well.
  assert.equal((await running.ended).signal, 'SIGKILL');
  // Orphans may stay zombies where nobody reaps them; those are dead all the same.
  for (const pid of roles.values()) {
    // Its descriptors are closed a moment before it is dead.
    while (isAlive({ pid, start: undefined, boot: undefined, namespace: undefined })) await new Promise(setImmediate);
  }
  const [store] = readdirSync(sandbox.directory).filter((name) => name.startsWith('ipcm-'));
  assert.ok(store !== undefined);
  const reaped = await sandbox.run(['reap', '--json', '--route', join(sandbox.directory, store)]);
  assert.deepEqual(
    values(reaped.stdout).map(({ removed }) => removed),
    [true],
  );
});

test('Ctrl-C counts what has been read, a second one ends it at once', onLinux, async (t) => {
  const sandbox = new Sandbox(t);
  const once = await endless(sandbox);
  once.kill('SIGINT');
  const { code, stdout } = await once.ended;
  assert.equal(code, 130);
  const [, read, counted] = /^([\d,]+) lines read, ([\d,]+) counted/m.exec(stdout) ?? [];
  assert.ok(read !== undefined && read !== '0');
  assert.equal(read, counted);
  const twice = await endless(sandbox);
  const roles = rolesOf(twice);
  process.kill(roles.get('counter-1') ?? 0, 'SIGSTOP');
  twice.kill('SIGINT');
  await twice.until('stderr', /once more ends it at once/);
  twice.kill('SIGINT');
  assert.equal((await twice.ended).code, 130);
});

test('what the demo refuses', async (t) => {
  const sandbox = new Sandbox(t);
  for (const [args, code, message] of [
    [['--protocol', 'LocalMemory'], 2, /^ipcm: IPCM_USAGE: .*LocalMemory reaches one only.*MessageFiles/],
    [['/no/such/file'], 1, /^ipcm: ENOENT: there is no file \/no\/such\/file; /],
    [['/tmp'], 1, /^ipcm: EISDIR: /],
    [['--counters', '0'], 2, /^ipcm: IPCM_USAGE: /],
    [['--counters', '65'], 2, /^ipcm: IPCM_USAGE: /],
    [['--protocol', 'Pigeon'], 2, /^ipcm: IPCM_UNKNOWN_PROTOCOL: /],
  ] as const) {
    const ended = await sandbox.run(['demo', ...args]);
    assert.equal(ended.code, code, ended.stderr);
    assert.match(ended.stderr, message);
  }
});
