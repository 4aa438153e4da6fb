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
import { startPrivate, stopPrivate } from '../../src/protocols/sql-server/private/server.ts';
import { ending } from '../sql-server/ending.ts';
import { missing, recipes, type Kind } from './server.ts';

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

/** A server that takes nobody without TLS; its port. */
async function start(t: TestContext, kind: Kind, folder: string): Promise<number> {
  const port = await freePort();
  const usual = recipes[kind];
  const recipe: Recipe = {
    ...usual,
    serve: (folders, programs) => {
      const { program, args } = usual.serve(folders, programs);
      const pem = ['ca=ca.pem', 'cert=server.pem', 'key=server.key'].map(
        (file) => `--ssl-${file.replace('=', `=${folder}/`)}`,
      );
      const net = [`--port=${port}`, '--bind-address=127.0.0.1,127.0.0.2', '--require-secure-transport=ON'];
      return { program, args: [...args.filter((arg) => arg !== '--skip-networking'), ...net, ...pem] };
    },
  };
  const made = await startPrivate(`${kind} of a test`, recipe, { owner: ownIdentity(), guard: true });
  ending(t, () => stopPrivate(made, recipe));
  if (kind === 'MySQL') {
    const user = readServer(made)?.user ?? '';
    const admin = await createConnection({ socketPath: `${foldersOf(made).run}/s`, user });
    await admin.query(`CREATE USER bus@'127.%' IDENTIFIED BY '${pass}'`);
    await admin.query("GRANT ALL ON ipcm.* TO bus@'127.%'");
    await admin.end();
  }
  return port;
}

const noOpenssl = spawnSync('openssl', ['version']).status === 0 ? undefined : 'there is no openssl here';

for (const kind of ['MariaDB', 'MySQL'] as const) {
  const skip = missing(kind) ?? noOpenssl ?? false;
  test(`${kind}: with TLS a certificate of the CA for this host is taken, and no other`, { skip }, async (t) => {
    const folder = certificates(t);
    const port = await start(t, kind, folder);
    const [driver, prefix] = kind === 'MariaDB' ? ['MariaDB', 'mariadb'] : ['mysql', 'mysql'];
    const attempt = async (host: string, ...settings: string[]): Promise<void> => {
      const security = settings.map((setting) => `;${prefix}_ssl${setting}`).join('');
      const route = `dbi:${driver}:database=ipcm;host=${host};port=${port}${security}`;
      const bus = await ipcmSpawn({ protocol: kind, route, user: 'bus', pass, guard: false });
      const client = await bus.connect('a');
      await client.disconnect();
      await bus.shutdown();
    };
    const [ca, other] = [`_ca_file=${folder}/ca.pem`, `_ca_file=${folder}/other.pem`];
    await attempt('127.0.0.1', '=1');
    await attempt('127.0.0.2', '=1', ca);
    await attempt('127.0.0.1', '=1', ca, '_verify_server_cert=0');
    const refused = { code: 'IPCM_STORE_FAILED', message: /is not believed; have the route name its CA/ };
    await assert.rejects(attempt('127.0.0.1', '=1', ca), refused, 'it is of another host');
    await assert.rejects(attempt('127.0.0.2', '=1', other), refused, 'it is of another CA');
    // A private MariaDB looks at no users, and so not at how they come.
    if (kind === 'MariaDB') return;
    await assert.rejects(attempt('127.0.0.2'), { code: 'IPCM_STORE_FAILED', message: /secure.transport/i });
  });
}
