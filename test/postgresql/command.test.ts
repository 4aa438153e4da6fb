/** Services, and the command, on a server that has to be told who connects. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ipcmSpawn } from '../../src/index.ts';
import { ipcmService, ipcmSupervise } from '../../src/service/index.ts';
import { Sandbox, values } from '../command/run.ts';
import { TestServer } from './server.ts';

let server: TestServer;
before(async () => {
  server = await TestServer.start();
  await server.query("CREATE ROLE bus LOGIN PASSWORD 'geheim'");
  await server.query('GRANT CREATE ON DATABASE postgres TO bus');
});
after(() => server.stop());

/** Whoever does not say who it is comes as somebody that the server does not know. */
const credentials = { IPCM_USER: 'bus', IPCM_PASSWORD: 'geheim', PGUSER: 'nobody_here' };

async function ownRoute(): Promise<string> {
  const route = await server.route();
  const [, schema = ''] = /search_path=(\w+)/.exec(route) ?? [];
  await server.query(`GRANT ALL ON SCHEMA ${schema} TO bus`);
  return route;
}

test('serve, request and services go in by the user that was given', async (t) => {
  const sandbox = new Sandbox(t);
  const kept = await sandbox.run(['spawn', '--keep', '-p', 'PostgreSQL', '--route', await ownRoute()], {
    env: credentials,
  });
  assert.equal(kept.code, 0, kept.stderr);
  const env = { ...credentials, IPCM_INFO: kept.stdout.trim() };
  const echo = join(sandbox.directory, 'echo.mjs');
  writeFileSync(echo, 'export default (request) => ({ got: request });\n');
  const service = sandbox.start(['serve', echo], env);
  await service.until('stderr', /is ready/);
  const answered = await sandbox.run(['request', 'echo', '1'], { env });
  assert.deepEqual([answered.stdout, answered.stderr], ['{"got":1}\n', '']);
  const listed = await sandbox.run(['services', '--json'], { env });
  assert.deepEqual(
    values(listed.stdout).map(({ name, requests }) => [name, requests]),
    [['echo', 1]],
    listed.stderr,
  );
  service.kill('SIGTERM');
  assert.equal((await service.ended).code, 0);
  const destroyed = await sandbox.run(['destroy'], { env });
  assert.equal(destroyed.code, 0, destroyed.stderr);
});

test('what stands in a password file reaches the server, and the environment of no process', async (t) => {
  const sandbox = new Sandbox(t);
  const file = join(sandbox.directory, 'password');
  writeFileSync(file, 'geheim\n', { mode: 0o600 });
  const given = ['--user', 'bus', '--password-file', file];
  const env = { PGUSER: 'nobody_here' };
  const args = ['spawn', '--keep', '-p', 'PostgreSQL', '--route', await ownRoute()];
  const kept = await sandbox.run([...given, ...args], { env });
  assert.equal(kept.code, 0, kept.stderr);
  const withInfo = { ...env, IPCM_INFO: kept.stdout.trim() };
  const tell = join(sandbox.directory, 'tell.mjs');
  writeFileSync(
    tell,
    `import { execFileSync } from 'node:child_process';
export default () => execFileSync('env', { encoding: 'utf8' });\n`,
  );
  const service = sandbox.start([...given, 'serve', tell], withInfo);
  await service.until('stderr', /is ready/);
  const told = await sandbox.run([...given, 'request', 'tell', '1'], { env: withInfo });
  assert.equal(told.code, 0, told.stderr);
  assert.match(told.stdout, /IPCM_INFO/);
  assert.doesNotMatch(told.stdout, /geheim|IPCM_USER/);
  service.kill('SIGTERM');
  assert.equal((await service.ended).code, 0);
  const missing = await sandbox.run(['--user', 'bus', '--password-file', `${file}-none`, 'peers'], { env: withInfo });
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /the password file cannot be read/);
  const destroyed = await sandbox.run([...given, 'destroy'], { env: withInfo });
  assert.equal(destroyed.code, 0, destroyed.stderr);
});

test('the processes of the demo as well', async (t) => {
  const sandbox = new Sandbox(t);
  const file = join(sandbox.directory, 'text');
  writeFileSync(file, 'one two two\n');
  const args = ['demo', file, '--json', '-p', 'PostgreSQL', '--route', await ownRoute()];
  const { code, stdout, stderr } = await sandbox.run(args, { env: credentials });
  assert.equal(code, 0, stderr);
  assert.deepEqual(values(stdout)[0], { word: 'two', count: 2 });
});

test('services that a service or a supervisor starts go in as it did', async () => {
  const access = { user: 'bus', pass: 'geheim' };
  const env = { PGUSER: credentials.PGUSER };
  await using bus = await ipcmSpawn({ protocol: 'PostgreSQL', route: await ownRoute(), ...access });
  const nesting = async (request: number) => {
    const { ipcmService: start } = await import('../../src/service/index.ts');
    const inner = await start('inner', (n: number) => n * 2);
    return inner.request(request);
  };
  const options = { connect: access, env, exposeErrorDetails: true };
  await using outer = await ipcmService('outer', nesting, { ...options, ipcmInfo: bus.info });
  assert.equal(await outer.request(21, { timeout: 30_000 }), 42);
  const children = [{ name: 'child', service: () => 'here', options: { env } }];
  await using supervisor = await ipcmSupervise({ ipcmInfo: bus.info, connect: access, children });
  assert.equal(await supervisor.child('child').request('?', { timeout: 30_000 }), 'here');
});
