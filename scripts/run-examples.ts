// Runs every example (examples/*.ts and examples/*/main.ts) against the built package.
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';

process.chdir(join(import.meta.dirname, '..'));

const timeout = 60_000;
const examples = globSync(['examples/*.ts', 'examples/*/main.ts']).toSorted();
const failed: string[] = [];
for (const example of examples) {
  console.log(`\n--- ${example}`);
  const { status, signal, error } = spawnSync(process.execPath, [example], { stdio: 'inherit', timeout });
  if (status !== 0) failed.push(`${example} (${error?.message ?? signal ?? `exit status ${status}`})`);
}

console.log(`\nExamples: ${examples.length}, failed: ${failed.length}`);
for (const line of failed) console.log(`  ${line}`);
// No example at all means that they were not found, not that all is well.
if (failed.length > 0 || examples.length === 0) process.exit(1);
