/** TLS: who is let in without, whose certificate is believed, and for which host. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { createConnection } from 'mariadb';
import { ipcmSpawn } from '../../src/bus.ts';
import { ownIdentity } from '../../src/liveness/identity.ts';
import { foldersOf, readServer } from '../../src/protocols/sql-server/private/folder.ts';
import type { Recipe } from '../../src/protocols/sql-server/private/recipe.ts';
import { noPrivateServer, startPrivate, stopPrivate } from '../../src/protocols/sql-server/private/server.ts';
import { recipe as postgresql } from '../../src/protocols/postgresql/recipe.ts';
import { ending } from './ending.ts';
import { recipes as family } from '../mysql-family/server.ts';

const pass = 'of the bus';

/** A CA, a certificate of it for 127.0.0.2 alone, and another CA. */
function certificates(t: TestContext): string {
  const folder = mkdtempSync('/tmp/ipcm-test-');
  ending(t, () => rmSync(folder, { recursive: true, force: true }));
  // The server may run as another user.
  chmodSync(folder, 0o755);
  const openssl = (...args: string[]): unknown => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  for (const name of ['ca', 'other'])
    openssl(
      'req',
      '-x509',
      ...key,
      '-subj',
      `/CN=${name}`,
      '-days',
      '2',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
    );
  openssl('req', ...key, '-subj', '/CN=server', '-keyout', 'server.key', '-out', 'server.csr');
  writeFileSync(`${folder}/ext`, 'subjectAltName=IP:127.0.0.2\n');
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'ext'];
  openssl('x509', '-req', '-in', 'server.csr', ...signed, '-out', 'server.pem');
  chmodSync(`${folder}/server.key`, 0o644);
  return folder;
}

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  listener.close();
  await once(listener, 'close');
  return port;
}

type Kind = 'PostgreSQL' | 'MariaDB' | 'MySQL';

const usual: Readonly<Record<Kind, Recipe>> = { PostgreSQL: postgresql, ...family };

/** How a server is started that takes nobody by the network without TLS. */
function secured(kind: Kind, port: number, folder: string): Recipe {
  const recipe = usual[kind];
  if (kind !== 'PostgreSQL') {
    return {
      ...recipe,
      serve: (folders, programs) => {
        const { program, args } = recipe.serve(folders, programs);
        const pem = ['ca=ca.pem', 'cert=server.pem', 'key=server.key'].map(
          (file) => `--ssl-${file.replace('=', `=${folder}/`)}`,
        );
        const net = [`--port=${port}`, '--bind-address=127.0.0.1,127.0.0.2', '--require-secure-transport=ON'];
        return { program, args: [...args.filter((arg) => arg !== '--skip-networking'), ...net, ...pem] };
      },
    };
  }
  // The key has to be the server's own, and nobody else's to read.
  const own = `umask 077; cp "$1/server.key" "$2/server.key"
    printf '%s\\n' 'local all all trust' 'hostssl all all 127.0.0.0/8 trust' >"$2/pg_hba.conf"`;
  return {
    ...recipe,
    programs: { ...recipe.programs, sh: ['sh'] },
    prepare: (folders, programs, user) => [
      ...recipe.prepare(folders, programs, user),
      { program: programs['sh'] ?? '', args: ['-c', own, 'sh', folder, folders.data] },
    ],
    serve: (folders, programs) => {
      const { program, args } = recipe.serve(folders, programs);
      const settings = ['ssl=on', `ssl_cert_file=${folder}/server.pem`, `ssl_key_file=${folders.data}/server.key`];
      const net = ['-c', 'listen_addresses=127.0.0.1,127.0.0.2', '-c', `port=${port}`];
      return { program, args: [...args, ...net, ...settings.flatMap((setting) => ['-c', setting])] };
    },
    source: (folders) => ({ ...recipe.source(folders), port }),
  };
}

/** A server that takes nobody without TLS: its port, and whom it takes. */
async function start(t: TestContext, kind: Kind, folder: string): Promise<{ port: number; user: string }> {
  const port = await freePort();
  const recipe = secured(kind, port, folder);
  const made = await startPrivate(`${kind} of a test`, recipe, { owner: ownIdentity(), guard: true });
  ending(t, () => stopPrivate(made, recipe));
  const user = readServer(made)?.user ?? '';
  if (kind === 'PostgreSQL') return { port, user };
  if (kind === 'MySQL') {
    const admin = await createConnection({ socketPath: `${foldersOf(made).run}/s`, user });
    await admin.query(`CREATE USER bus@'127.%' IDENTIFIED BY '${pass}'`);
    await admin.query("GRANT ALL ON ipcm.* TO bus@'127.%'");
    await admin.end();
  }
  return { port, user: 'bus' };
}

const noOpenssl = spawnSync('openssl', ['version']).status === 0 ? undefined : 'there is no openssl here';

/** The settings of a route, in the words of each: encrypted; of a CA, whoever it is for; of a CA, and for this host. */
const words: Readonly<Record<Kind, (ca: string) => Readonly<Record<'any' | 'ofCa' | 'full', string>>>> = {
  PostgreSQL: (ca) => ({
    any: 'sslmode=require',
    ofCa: `sslmode=verify-ca;sslrootcert=${ca}`,
    full: `sslmode=verify-full;sslrootcert=${ca}`,
  }),
  MariaDB: (ca) => familyWords('mariadb', ca),
  MySQL: (ca) => familyWords('mysql', ca),
};

function familyWords(prefix: string, ca: string): Readonly<Record<'any' | 'ofCa' | 'full', string>> {
  const full = `${prefix}_ssl=1;${prefix}_ssl_ca_file=${ca}`;
  return { any: `${prefix}_ssl=1`, ofCa: `${full};${prefix}_ssl_verify_server_cert=0`, full };
}

const drivers: Readonly<Record<Kind, string>> = {
  PostgreSQL: 'Pg:dbname=postgres',
  MariaDB: 'MariaDB:database=ipcm',
  MySQL: 'mysql:database=ipcm',
};

for (const kind of ['PostgreSQL', 'MariaDB', 'MySQL'] as const) {
  const skip = noPrivateServer(usual[kind]) ?? noOpenssl ?? false;
  test(`${kind}: with TLS a certificate of the CA for this host is taken, and no other`, { skip }, async (t) => {
    const folder = certificates(t);
    const { port, user } = await start(t, kind, folder);
    const attempt = async (host: string, security = ''): Promise<void> => {
      const route = `dbi:${drivers[kind]};host=${host};port=${port}${security === '' ? '' : `;${security}`}`;
      const bus = await ipcmSpawn({ protocol: kind, route, user, pass, guard: false });
      const client = await bus.connect('a');
      await client.disconnect();
      await bus.shutdown();
    };
    const { any, ofCa, full } = words[kind](`${folder}/ca.pem`);
    const other = words[kind](`${folder}/other.pem`);
    await attempt('127.0.0.1', any);
    await attempt('127.0.0.2', full);
    await attempt('127.0.0.1', ofCa);
    const refused = { code: 'IPCM_STORE_FAILED', message: /is not believed; have the route name its CA/ };
    await assert.rejects(attempt('127.0.0.1', full), refused, 'it is of another host');
    await assert.rejects(attempt('127.0.0.2', other.full), refused, 'it is of another CA');
    // A private MariaDB looks at no users, and so not at how they come.
    if (kind === 'MariaDB') return;
    const unsecured = { code: 'IPCM_STORE_FAILED', message: /secure.transport|no encryption/i };
    await assert.rejects(attempt('127.0.0.2'), unsecured);
  });
}
