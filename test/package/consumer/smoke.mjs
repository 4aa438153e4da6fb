// Usage: node smoke.mjs MAJOR: the main calls of the installed package on the Node that runs this file.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { ipcmConnect, ipcmSpawn } from 'ipc-manager';

const major = Number.parseInt(process.versions.node, 10);
assert.equal(major, Number(process.argv[2]));
assert.equal(createRequire(import.meta.url)('ipc-manager').ipcmSpawn, ipcmSpawn);

const bus = await ipcmSpawn({ protocol: 'MessageFiles' });
const a = await ipcmConnect('a', bus.info);
const b = await bus.connect('b');

await a.sendMessage('b', { hello: 'world' });
await a.broadcast({ x: 1 });
const contents = [];
while (contents.length < 2) contents.push(...(await b.getMessages()).map((message) => message.content));
assert.deepEqual(contents, [{ hello: 'world' }, { x: 1 }]);

// Zstandard came with Node 22.15: without it, the default is plain JSON.
if (major === 20) {
  const info = JSON.stringify(bus.info);
  assert.match(info, /json/i);
  assert.doesNotMatch(info, /zstd/i);
}

await a.disconnect();
await b.disconnect();
await bus.shutdown();
console.log(`smoke test passed on ${process.version}`);
