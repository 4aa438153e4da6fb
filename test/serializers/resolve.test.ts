import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import * as zlib from 'node:zlib';
import { serializer as json } from '../../src/serializers/json.ts';
import { builtinSerializers, defaultSerializerName, resolveSerializer } from '../../src/serializers/resolve.ts';
import type { SerializerInput } from '../../src/serializers/resolve.ts';

const hasZstd = typeof zlib.zstdCompressSync === 'function';
const skip = hasZstd ? false : 'no zstd in node:zlib';
const className = 'IPC::Manager::Serializer::JSON::Zstd';

test('the default is JSON::Zstd where it is viable', () => {
  assert.equal(defaultSerializerName(), hasZstd ? 'JSON::Zstd' : 'JSON');
  assert.deepEqual(builtinSerializers.map(({ name }) => name).sort(), ['JSON', 'JSON::Zstd']);
});

test('names are bare or full, and each names one instance', async () => {
  for (const name of hasZstd ? ['JSON', 'JSON::Zstd'] : ['JSON']) {
    const one = await resolveSerializer(name);
    assert.equal(one.name, name);
    assert.equal(one.spec, `IPC::Manager::Serializer::${name}`);
    for (const input of [
      `IPC::Manager::Serializer::${name}`,
      [name],
      [name, {}],
      [one.spec],
      one,
    ] as SerializerInput[]) {
      assert.equal(await resolveSerializer(input), one);
    }
  }
  assert.equal((await resolveSerializer(json)).name, 'JSON');
});

test('options come as pairs or as an object, and keep their order', { skip }, async () => {
  const nine = await resolveSerializer(['JSON::Zstd', 'level', 9]);
  assert.deepEqual(nine.spec, [className, 'level', 9]);
  assert.equal(await resolveSerializer(['JSON::Zstd', { level: 9, dictionary: undefined }]), nine);
  assert.equal(await resolveSerializer(nine.spec), nine);
  assert.notEqual(await resolveSerializer(['JSON::Zstd', 'level', 8]), nine);
});

if (!hasZstd)
  test('a runtime without zstd says that JSON::Zstd is not viable', async () => {
    await assert.rejects(resolveSerializer('JSON::Zstd'), { code: 'IPCM_NOT_VIABLE', message: /22\.15/ });
  });

test('unknown names are refused with those known', async () => {
  for (const name of ['', 'json', 'XML', 'IPC::Manager::Serializer::XML', '__proto__', 'IPC::Manager::Serializer::']) {
    await assert.rejects(resolveSerializer(name), { code: 'IPCM_UNKNOWN_SERIALIZER', message: /JSON::Zstd and JSON/ });
  }
  for (const input of [undefined, null, 7, [], [7], {}]) {
    await assert.rejects(resolveSerializer(input as never), { code: 'IPCM_UNKNOWN_SERIALIZER' });
  }
});

test('odd lists, unknown options and values that no info can hold are refused', async () => {
  const wrong: [string, ...unknown[]][] = [
    ['JSON', 'level'],
    ['JSON', 'level', 9],
    ['JSON', '__proto__', {}],
    ['JSON', 7, 9],
    ['JSON::Zstd', 'level', 9, 'level', 9],
    ['JSON::Zstd', 'level', () => 9],
  ];
  if (hasZstd) wrong.push(['JSON::Zstd', 'level', 99], ['JSON::Zstd', 'color', 'red']);
  for (const input of wrong) {
    await assert.rejects(resolveSerializer(input), { code: 'IPCM_INVALID_OPTION' }, JSON.stringify(input));
  }
});

describe('a module of your own', () => {
  const home = process.cwd();
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ipcm-resolve-')));
  const source = (marker: string) => `
    let made = 0;
    export const serializer = {
      name: 'Upper',
      unviable: (options) => options.broken ? 'it is broken; mend it' : undefined,
      create: (options) => ({
        name: 'Upper', spec: 'whatever', options, count: ++made, marker: '${marker}',
        serialize: (value) => Buffer.from(JSON.stringify(value).toUpperCase()),
        deserialize: (bytes) => JSON.parse(Buffer.from(bytes).toString()),
      }),
    };`;
  before(() => {
    writeFileSync(join(folder, 'upper.mjs'), source('file'));
    writeFileSync(
      join(folder, 'instance.mjs'),
      'export default { name: "I", spec: "I", serialize: () => new Uint8Array([1]), deserialize: () => 1 };',
    );
    writeFileSync(join(folder, 'none.mjs'), 'export const other = 1;');
    writeFileSync(join(folder, 'throws.mjs'), 'throw new Error("at import");');
    mkdirSync(join(folder, 'node_modules/upper-package'), { recursive: true });
    writeFileSync(
      join(folder, 'node_modules/upper-package/package.json'),
      '{"name":"upper-package","exports":"./index.mjs"}',
    );
    writeFileSync(join(folder, 'node_modules/upper-package/index.mjs'), source('package'));
    process.chdir(folder);
  });
  after(() => {
    process.chdir(home);
    rmSync(folder, { recursive: true });
  });

  test('by a path from the working directory: the spec is absolute, the instance shared', async () => {
    const url = pathToFileURL(join(folder, 'upper.mjs')).href;
    const one = await resolveSerializer('+./upper.mjs');
    assert.equal(one.spec, `+${url}`);
    assert.equal(Buffer.from(one.serialize({ a: 'b' })).toString(), '{"A":"B"}');
    assert.deepEqual(one.deserialize(one.serialize(['x']), 100), ['X']);
    const others = await Promise.all(
      [`+${url}`, `+${folder}/upper.mjs`, '+./upper.mjs'].map((input) => resolveSerializer(input)),
    );
    for (const other of others) assert.equal(other, one);
    process.chdir(tmpdir());
    try {
      assert.equal(await resolveSerializer(one.spec), one);
    } finally {
      process.chdir(folder);
    }
  });

  test('with options, which the spec repeats', async () => {
    const { spec } = await resolveSerializer(['+./upper.mjs', { loud: true, nothing: null }]);
    assert.deepEqual(spec, [`+${pathToFileURL(join(folder, 'upper.mjs')).href}`, 'loud', true, 'nothing', null]);
    await assert.rejects(resolveSerializer(['+./upper.mjs', 'broken', 1]), {
      code: 'IPCM_NOT_VIABLE',
      message: /mend it/,
    });
  });

  test('by the name of a package, found from the working directory', async () => {
    assert.equal((await resolveSerializer('+upper-package')).spec, '+upper-package');
  });

  test('that exports an instance takes no options', async () => {
    assert.deepEqual((await resolveSerializer('+./instance.mjs')).serialize(0), new Uint8Array([1]));
    await assert.rejects(resolveSerializer(['+./instance.mjs', 'a', 1]), { code: 'IPCM_INVALID_OPTION' });
  });

  test('that is missing, fails or exports none is refused with the reason', async () => {
    const reasons = {
      '+./missing.mjs': /missing/,
      '+./throws.mjs': /at import/,
      '+./none.mjs': /must export/,
      '+no-such-package': /no-such-package/,
      '+': /imported/,
    };
    for (const [input, message] of Object.entries(reasons)) {
      await assert.rejects(resolveSerializer(input), { code: 'IPCM_UNKNOWN_SERIALIZER', message });
    }
  });
});
