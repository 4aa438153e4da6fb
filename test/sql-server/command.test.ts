/** Users and passwords for the command: options, its variables, and what the databases' own tools look at. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ipcmSpawn } from '../../src/bus.ts';
import { noPrivateServer } from '../../src/protocols/sql-server/private/server.ts';
import { Sandbox } from '../command/run.ts';
import { pass, recipes, startAsking } from './asking.ts';
import type { Kind } from './server.ts';

/** Where the tools of a database look for user and password: variables, and a file. */
function places(kind: Kind, folder: string): Readonly<Record<string, NodeJS.ProcessEnv>> {
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  if (kind === 'PostgreSQL') {
    const escaped = pass.replace(/[:\\]/g, '\\$&');
    const file = write('pass', `# of the bus\nelsewhere:*:*:*:wrong\nlocalhost:5432:ipcm:bus:${escaped}\n`);
    write('.pgpass', `*:*:*:bus:${escaped}\n`);
    return {
      'PGUSER and PGPASSFILE': { PGUSER: 'bus', PGPASSFILE: file },
      '.pgpass': { PGUSER: 'bus', HOME: folder, PGPASSFILE: undefined },
    };
  }
  write('.my.cnf', `[mysqld]\nuser=mysql\n[client]\nuser = bus # it\npassword = "${pass}"\n`);
  return {
    '.my.cnf': { HOME: folder },
    'IPCM_USER and MYSQL_PWD': { IPCM_USER: 'bus', MYSQL_PWD: pass },
  };
}

/** What may be set here already says nothing. */
const nothing = { HOME: '/nowhere', PGUSER: 'nobody_here', PGPASSFILE: '/nowhere/pass' };

for (const kind of ['PostgreSQL', 'MariaDB', 'MySQL'] as const) {
  const skip = noPrivateServer(recipes[kind]) ?? false;
  test(
    `${kind}: the command goes in by --user and --password-file, by its variables, and as the database's tools do`,
    { skip },
    async (t) => {
      const server = await startAsking(t, kind);
      const sandbox = new Sandbox(t);
      const write = (name: string, text: string): string => {
        writeFileSync(join(sandbox.directory, name), text);
        return join(sandbox.directory, name);
      };
      const bus = await ipcmSpawn({ protocol: kind, route: server.route, user: 'bus', pass, guard: false });
      const given = (file: string): string[] => ['--user', 'bus', '--password-file', file];
      const peers = async (args: readonly string[], env: NodeJS.ProcessEnv): ReturnType<Sandbox['run']> =>
        sandbox.run([...args, 'peers'], { env: { ...nothing, IPCM_INFO: bus.info, ...env } });
      const wrong = { IPCM_PASSWORD: 'wrong', MYSQL_PWD: 'wrong', PGPASSWORD: 'wrong' };
      const allowed = {
        // The options come before the variables, those before what the tools look at.
        options: peers(given(write('password', `${pass}\r\na second line\n`)), { ...wrong, IPCM_USER: 'nobody_here' }),
        variables: peers([], { ...wrong, IPCM_USER: 'bus', IPCM_PASSWORD: pass }),
        ...Object.fromEntries(
          Object.entries(places(kind, sandbox.directory)).map(([what, env]) => [what, peers([], env)]),
        ),
      };
      const refused = [peers([], {}), peers(given(write('wrong', 'wrong\n')), {})];
      for (const [what, ended] of Object.entries(allowed)) {
        const { code, stderr } = await ended;
        assert.equal(code, 0, `${what}: ${stderr}`);
      }
      for (const ended of refused) {
        const { code, stderr } = await ended;
        assert.equal(code, 1);
        assert.match(stderr, /refuses the user; give user and pass/);
        assert.ok(!stderr.includes('wrong'), stderr);
      }
      await bus.shutdown();
    },
  );
}
