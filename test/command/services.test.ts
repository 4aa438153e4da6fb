import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Sandbox, values } from './run.ts';

const fixture = join(import.meta.dirname, '../fixtures/command-service.ts');
const main = `${fixture}#main`;

test('serve makes a bus, request asks, SIGTERM ends it', async (t) => {
  const sandbox = new Sandbox(t);
  const echo = join(sandbox.directory, 'echo.mjs');
  writeFileSync(echo, 'export default (request) => ({ got: request });\n');
  const service = sandbox.start(['serve', echo]);
  const env = { IPCM_INFO: await service.firstLine() };
  await service.until('stderr', /service "echo" \(pid \d+\) is ready/);
  const answered = await sandbox.run(['request', 'echo', '{"a":[1]}'], { env });
  assert.deepEqual([answered.code, answered.stdout, answered.stderr], [0, '{"got":{"a":[1]}}\n', '']);
  assert.equal((await sandbox.run(['request', 'echo', '-'], { env, input: '[\n3]' })).stdout, '{"got":[3]}\n');
  assert.equal((await sandbox.run(['request', 'echo', 'null'], { env })).stdout, '{"got":null}\n');
  assert.equal((await sandbox.run(['request', 'echo', '--text', '"x'], { env })).stdout, '{"got":"\\"x"}\n');
  const missing = await sandbox.run(['request', 'nobody', '1'], { env });
  assert.equal(missing.code, 4);
  assert.match(missing.stderr, /^ipcm: IPCM_PEER_UNKNOWN: /);
  assert.equal((await sandbox.run(['request', 'echo', 'no json'], { env })).code, 2);
  service.kill('SIGTERM');
  const { code, stdout, stderr } = await service.ended;
  assert.equal(code, 0, stderr);
  assert.equal(stdout, `${env.IPCM_INFO}\n`);
});

test('serve on a bus that is there, with a name, params and a worker', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, info, env } = await sandbox.bus();
  const args = ['serve', main, info, '--name', 'greeter', '--params', '-', '--json'];
  const service = sandbox.start(args);
  service.end('{"greeting":"good day"}');
  const [ready] = values(`${await service.firstLine()}\n`);
  assert.deepEqual(ready, { info, name: 'greeter', pid: service.pid });
  const said = await sandbox.run(['request', 'greeter', '--text', 'you'], { env });
  assert.deepEqual([said.code, said.stdout], [0, 'good day, you\n']);

  const listed = await sandbox.run(['services', '--json'], { env });
  const [row, ...others] = values(listed.stdout);
  assert.deepEqual(others, []);
  const { uptime, startedAt, workers, ...rest } = row ?? {};
  const known = { name: 'greeter', pid: service.pid, state: 'running', node: process.version };
  assert.deepEqual(rest, { ...known, requests: 1, errors: 0, open: 0 });
  assert.deepEqual([typeof uptime, typeof startedAt], ['number', 'number']);
  assert.deepEqual(
    (workers as { name: string }[]).map(({ name }) => name),
    ['helper'],
  );
  const table = (await sandbox.run(['services'], { env })).stdout;
  assert.match(
    table,
    /^NAME +STATE +PID +UPTIME +REQUESTS +ERRORS +OPEN +WORKERS\ngreeter +running +\d+ +\S.*s +1 +0 +0 +1\n$/,
  );

  running.end();
  assert.equal((await running.ended).code, 0, 'the end of the bus ends the service');
  assert.equal((await service.ended).code, 0);
});

test('request: what an answer can be other than an answer', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, env } = await sandbox.bus();
  const service = sandbox.start(['serve', main, '--name', 'main'], env);
  await service.firstLine();
  const threw = await sandbox.run(['request', 'main', '"throw"'], { env });
  assert.deepEqual([threw.code, threw.stdout], [1, '']);
  assert.match(threw.stderr, /^ipcm: IPCM_REQUEST_FAILED: .*as asked\n$/);
  const inJson = await sandbox.run(['request', 'main', '"throw"', '--json'], { env });
  assert.deepEqual(values(inJson.stderr)[0]?.['details'], { code: 'AS_ASKED' });
  const late = await sandbox.run(['request', 'main', '"wait"', '-W', '0.1'], { env });
  assert.equal(late.code, 3);
  assert.match(late.stderr, /^ipcm: IPCM_TIMEOUT: /);

  const waiting = sandbox.start(['request', 'main', '"wait"'], env);
  while (values((await sandbox.run(['services', '--json'], { env })).stdout)[0]?.['open'] !== 1);
  waiting.kill('SIGINT');
  assert.equal((await waiting.ended).code, 130);
  while (values((await sandbox.run(['services', '--json'], { env })).stdout)[0]?.['open'] !== 0);

  const died = await sandbox.run(['request', 'main', '"exit"'], { env });
  assert.equal(died.code, 4);
  assert.match(died.stderr, /^ipcm: IPCM_PEER_GONE: /);
  assert.equal((await service.ended).signal, 'SIGKILL');
  assert.match((await sandbox.run(['services'], { env })).stderr, /there is no service on the bus/);
  running.end();
  // The service died with a message that it had read, and without writing its counts.
  assert.equal((await running.ended).code, 5);
});

test('a stopped service is listed without figures', async (t) => {
  const sandbox = new Sandbox(t);
  const service = sandbox.start(['serve', main, '--name', 'main']);
  const env = { IPCM_INFO: await service.firstLine() };
  service.kill('SIGSTOP');
  const { code, stdout } = await sandbox.run(['services', '-W', '0.1'], { env });
  assert.equal(code, 0);
  assert.match(stdout, /\nmain +no answer +\d+ +-/);
  const inJson = await sandbox.run(['services', '-W', '0.1', '--json'], { env });
  assert.deepEqual(values(inJson.stdout), [{ name: 'main', state: 'active', pid: service.pid, code: 'IPCM_TIMEOUT' }]);
  service.kill('SIGCONT');
  service.kill('SIGINT');
  assert.equal((await service.ended).code, 0);
});

test('the first Ctrl-C answers what is in hand', async (t) => {
  const sandbox = new Sandbox(t);
  const service = sandbox.start(['serve', main, '--name', 'main']);
  const env = { IPCM_INFO: await service.firstLine() };
  const asked = sandbox.start(['request', 'main', '"late"'], env);
  while (
    values((await sandbox.run(['services', '--json'], { env })).stdout)[0]?.['open'] !== 1 &&
    asked.child.exitCode === null
  );
  service.kill('SIGINT');
  assert.deepEqual([(await asked.ended).stdout, (await asked.ended).code], ['"answered all the same"\n', 0]);
  assert.equal((await service.ended).code, 0);
});

test('a signal that the module handles is its own', async (t) => {
  const sandbox = new Sandbox(t);
  const service = sandbox.start(['serve', `${fixture}#reloading`]);
  const env = { IPCM_INFO: await service.firstLine() };
  service.kill('SIGHUP');
  await service.until('stdout', /reloaded\n/);
  service.kill('SIGHUP');
  await service.until('stdout', /reloaded\nreloaded\n/);
  assert.equal((await sandbox.run(['request', 'command-service', '1'], { env })).stdout, '"still there"\n');
  service.kill('SIGINT');
  assert.equal((await service.ended).code, 0);
});

test('what cannot be served', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, env } = await sandbox.bus();
  const params = ['--name', 'main', '--params', '{"greeting":"none"}'];
  const enumeration = join(sandbox.directory, 'enumeration.mts');
  writeFileSync(enumeration, 'enum Colour { red }\nexport default () => Colour.red;\n');
  const throwing = join(sandbox.directory, 'throwing.mjs');
  writeFileSync(throwing, 'export default { onStart() { throw new Error("no database"); } };\n');
  for (const [args, code, message] of [
    [
      [join(sandbox.directory, 'missing.mjs')],
      1,
      /IPCM_SERVICE_FAILED: Cannot find module .*missing\.mjs: there is no such file/,
    ],
    [[enumeration], 1, /IPCM_SERVICE_FAILED: .*enumeration\.mts cannot be imported: .*enum.*compile/],
    [[sandbox.directory], 1, /IPCM_SERVICE_FAILED: .* is a directory/],
    [[throwing], 1, /IPCM_SERVICE_FAILED: service "throwing" did not start: no database/],
    [[`${fixture}#other`], 1, /IPCM_SERVICE_FAILED: .*no export "other"/],
    [[main, '--params', 'no json'], 2, /IPCM_USAGE: --params is not JSON \(.*\); quote a string as '"hello"'\n$/],
    [[main, '--name', '_main'], 2, /IPCM_INVALID_NAME/],
    [[main, ...params], 1, /without a greeting/],
  ] as const) {
    for (const environment of [env, {}]) {
      const ended = await sandbox.run(['serve', ...args], { env: environment });
      assert.deepEqual([ended.code, ended.stdout], [code, ''], ended.stderr);
      assert.match(ended.stderr, message);
    }
  }
  running.end();
  assert.equal((await running.ended).code, 0);
});

test('what ends a service is told as an error of the service', async (t) => {
  const sandbox = new Sandbox(t);
  const failing = join(sandbox.directory, 'failing.mjs');
  writeFileSync(failing, 'export default () => void setTimeout(() => { throw new Error("boom"); });\n');
  const service = sandbox.start(['serve', failing]);
  await sandbox.run(['request', 'failing', '1'], { env: { IPCM_INFO: await service.firstLine() } });
  const { code, stderr } = await service.ended;
  assert.equal(code, 1);
  assert.match(stderr, /ipcm: IPCM_SERVICE_FAILED: service "failing" failed: boom; IPCM_DEBUG=1 shows where\n/);
});
