/**
 * The conformance suite: what every protocol of the bus must do, as tests for `node:test`.
 *
 * Whoever writes a protocol runs it on a factory of their own, in a file for `node --test`:
 *
 *     import { runConformance } from 'ipc-manager/testing';
 *     await runConformance({ name: 'MyProtocol', protocol: '+./my-protocol.js' });
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import { temporaryRoot } from '../protocols/directory/route.ts';
import { resolveProtocol } from '../protocols/resolve.ts';
import { areas, type Area } from './areas.ts';
import { ChildClient } from './child-process.ts';
import type { ConformanceFactory } from './factory.ts';
import type { Subject } from './scene.ts';
import { Suite } from './suite.ts';

export type { ConformanceFactory } from './factory.ts';
export { areas, type Area } from './areas.ts';

/** How to run the suite. */
export interface ConformanceOptions {
  /** Areas to run. Default: all, in the order of {@link areas}. */
  readonly only?: readonly Area[] | undefined;
  /** Milliseconds that one test may take. Default 30,000; most take a hundredth of it. */
  readonly timeout?: number | undefined;
}

/**
 * Registers the suite for one protocol; to be awaited at the top of a test file. The whole takes some two minutes; `only`
 * spreads it over several files, which then run side by side.
 *
 * Temporary stores are made in a private folder (by `TMPDIR`), in which no test may leave anything. What a failed test
 * leaves is kept there, and the report says where.
 */
export async function runConformance(factory: ConformanceFactory, options: ConformanceOptions = {}): Promise<void> {
  const protocol = await resolveProtocol(factory.protocol);
  const subject: Subject = { factory, protocol, capabilities: protocol.capabilities };
  const chosen = Object.entries(areas).filter(([area]) => options.only?.some((name) => name === area) ?? true);
  describe(`conformance of ${factory.name}`, () => {
    const root = mkdtempSync(join(temporaryRoot(), 'ipcm-conformance-'));
    const [stores, cache] = [join(root, 'stores'), join(root, 'cache')];
    const suite = new Suite(subject, stores, options.timeout ?? 30_000);
    const outside = { TMPDIR: process.env['TMPDIR'], NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] };
    before(async () => {
      mkdirSync(stores, { mode: 0o700 });
      // With compiled code at hand a child starts in a third of the time; there are more than a hundred of them.
      Object.assign(process.env, { TMPDIR: stores, NODE_COMPILE_CACHE: outside.NODE_COMPILE_CACHE ?? cache });
      await factory.setup?.();
      // The first child makes Node open what it then keeps; that is no leak of the first test.
      await (await ChildClient.start()).destroy();
    });
    after(async () => {
      for (const [name, value] of Object.entries(outside)) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
      await factory.teardown?.();
      const kept = suite.failed && readdirSync(stores).length > 0;
      rmSync(kept ? cache : root, { recursive: true, force: true });
    });
    for (const [area, register] of chosen) describe(area, () => register(suite));
  });
}
