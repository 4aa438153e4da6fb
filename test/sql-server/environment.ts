/** Variables of this process for the time of a test. */
import type { TestContext } from 'node:test';
import { ending } from './ending.ts';

/** Sets a variable, or takes it away, until the test ends. */
export function setVariable(t: TestContext, name: string, value: string | undefined): void {
  const before = process.env[name];
  const set = (to: string | undefined): void => {
    if (to === undefined) delete process.env[name];
    else process.env[name] = to;
  };
  ending(t, () => set(before));
  set(value);
}
