// The suite is worth something only if it finds faults: here are some, one at a time.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';

const fixture = join(import.meta.dirname, '../fixtures/conformance-faulty.ts');

/** Which test finds the fault. */
const found: Readonly<Record<string, string>> = {
  loses: 'leaving the loop early loses nothing',
  doubles: 'reaches all but the sender, each with a copy of its own',
  reverses: 'four clients of one process send at once',
  holds: 'waitForPeersGone resolves when none is there any more',
  sleeps: 'a message wakes a waiting reader, long before it would look by itself',
  forgets: 'requeued messages come first, in order, as they were',
};

/** Names of the tests that failed in a run of the fixture. */
function failures(fault: string): Promise<string[]> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const args = ['--test-reporter=tap', fixture, fault];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { env, timeout: 50_000, maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      if (error === null || error.code !== 1) reject(new Error(`the run ended otherwise than with 1: ${stderr}`));
      else
        resolve([...stdout.matchAll(/^ *not ok \d+ - (.*)$/gm)].map((match) => (match[1] ?? '').replaceAll('\\', '')));
    });
  });
}

describe('the suite finds a protocol that', { concurrency: true }, () => {
  for (const [fault, name] of Object.entries(found)) {
    it(fault, async () => {
      const names = await failures(fault);
      assert.ok(names.includes(name), `failed: ${names.join('; ')}`);
    });
  }
});
