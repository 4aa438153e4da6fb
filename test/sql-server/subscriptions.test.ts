import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Link } from '../../src/protocols/sql-server/database.ts';
import { Gate } from '../../src/protocols/sql-server/gate.ts';
import { Subscriptions } from '../../src/protocols/sql-server/subscriptions.ts';

test('a channel that is added while a new connection is asked for the others is listened to as well', async () => {
  const listened: string[] = [];
  const answers: (() => void)[] = [];
  const hints = {
    listen: (channel: string): Promise<void> => {
      listened.push(channel);
      return new Promise((resolve) => answers.push(resolve));
    },
    unlisten: (): Promise<void> => Promise.resolve(),
    onHint: (): void => undefined,
  };
  const subscriptions = new Subscriptions(new Gate());
  subscriptions.add('first', () => undefined);
  const attaching = subscriptions.attach({ hints } as unknown as Link);
  let woken = 0;
  subscriptions.add('second', () => woken++);
  await new Promise(setImmediate);
  for (const answer of answers) answer();
  await attaching;
  await new Promise(setImmediate);
  assert.deepEqual(listened.sort(), ['first', 'second']);
  assert.ok(woken > 0, 'and who waits looks: a hint may have come before');
});
