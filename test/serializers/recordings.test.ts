import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Message } from '../../src/message/message.ts';
import { builtinSerializers, resolveSerializer } from '../../src/serializers/resolve.ts';

const wire = fileURLToPath(new URL('../wire/', import.meta.url));
const dictionary = `${wire}serializer/dictionary.zdict`;
const messages = JSON.parse(readFileSync(`${wire}messages.json`, 'utf8')) as unknown[];
const limit = 1 << 20;

const cases = {
  JSON: ['JSON'],
  'JSON-Zstd': ['JSON::Zstd'],
  'JSON-Zstd-level-9': ['JSON::Zstd', 'level', 9],
  'JSON-Zstd-level-9-dictionary': ['JSON::Zstd', 'level', 9, 'dictionary', dictionary],
} as const;

/** Why this runtime cannot carry a case, if so. */
function unviable(name: string, options: readonly unknown[]): string | false {
  const given = options.includes('dictionary') ? { dictionary } : {};
  return builtinSerializers.find((module) => module.name === name)?.unviable(given) ?? false;
}

for (const [folder, input] of Object.entries(cases)) {
  const [name, ...options] = input;
  const skip = unviable(name, options);
  test(`recordings of the reference implementation: ${folder}`, { skip }, async (t) => {
    const serializer = await resolveSerializer(input);
    const files = readdirSync(`${wire}serializer/${folder}`)
      .filter((file) => file.endsWith('.bin'))
      .sort();
    assert.equal(files.length, messages.length);
    for (const [index, file] of files.entries()) {
      await t.test(file, () => {
        const bytes = readFileSync(`${wire}serializer/${folder}/${file}`);
        assert.deepEqual(serializer.deserialize(bytes, limit), messages[index]);
        const again = serializer.serialize(Message.fromWire(messages[index]));
        assert.deepEqual(serializer.deserialize(again, limit), messages[index]);
      });
    }
  });

  test(`connection info names ${folder} as the reference does`, { skip }, async () => {
    const info = JSON.parse(readFileSync(`${wire}serializer/${folder}/info.txt`, 'utf8')) as [string, unknown, string];
    const { spec } = await resolveSerializer(input);
    const recorded = Array.isArray(info[1])
      ? info[1].map((item: unknown) => (typeof item === 'string' && item.endsWith('.zdict') ? dictionary : item))
      : info[1];
    assert.deepEqual(spec, recorded);
  });
}
