/** What was written in the wrong place, or wrongly, is refused without a word of the password in it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { ipcmConnect, ipcmSpawn, isIpcError } from '../../src/index.ts';

const url = 'postgres://geheimrat:ge/he"im 4711@h/ipcm';
const parts = ['he"im', 'he\\"im', '4711', 'geheimrat'];

const attempts: Readonly<Record<string, () => Promise<unknown>>> = {
  'a URL in place of an info': () => ipcmConnect('a', url),
  'an info that is cut off': () => ipcmConnect('a', JSON.stringify(['PostgreSQL', 'JSON', url]).slice(0, -1)),
  'an info of two': () => ipcmConnect('a', JSON.stringify(['PostgreSQL', url])),
  'an info without a serializer': () => ipcmConnect('a', ['PostgreSQL', 7 as unknown as string, url]),
  'an info of a protocol of files': () => ipcmConnect('a', ['MessageFiles', 'JSON', url]),
  'an info of a protocol that nobody has': () => ipcmConnect('a', [url, 'JSON', url]),
  'a route without a protocol': () => ipcmSpawn({ route: url }),
  'a route of another protocol': () => ipcmSpawn({ route: url, protocol: 'MySQL' }),
  'a data source name as a directory': () =>
    ipcmSpawn({ route: 'dbi:Pg:dbname=x;password=4711', protocol: 'MessageFiles' }),
  'a data source name as a file': () => ipcmSpawn({ route: 'dbi:Pg:dbname=x;password=4711', protocol: 'SQLite' }),
  'a URL as a file': () => ipcmSpawn({ route: url, protocol: 'SQLite' }),
  'a store in this process': () => ipcmConnect('a', ['LocalMemory', 'JSON', url]),
};

for (const [what, attempt] of Object.entries(attempts)) {
  test(`${what}: the error shows no password`, async () => {
    const error = await attempt().then(
      () => assert.fail('it was taken'),
      (reason: unknown) => reason,
    );
    assert.ok(isIpcError(error), inspect(error));
    const shown = [error.message, inspect(error, { depth: 9, showHidden: true }), JSON.stringify(error)];
    for (const text of shown) for (const part of parts) assert.ok(!text.includes(part), `${part} in ${text}`);
  });
}
