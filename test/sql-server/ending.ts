/** What a test leaves to be ended. */
import type { TestContext } from 'node:test';

const endings = new WeakMap<TestContext, (() => unknown)[]>();

/** Does something after the test: what came last ends first. */
export function ending(t: TestContext, end: () => unknown): void {
  let all = endings.get(t);
  if (all === undefined) {
    const list: (() => unknown)[] = [];
    endings.set(t, (all = list));
    t.after(async () => {
      for (const each of list.reverse()) await each();
    });
  }
  all.push(end);
}
