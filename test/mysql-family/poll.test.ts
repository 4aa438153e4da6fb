/** How often the poll asks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Poll, pauseAfter, type Ask } from '../../src/protocols/mysql-family/poll.ts';
import { until } from '../../src/testing/until.ts';

/** Questions in so many milliseconds in which nothing comes, the first of them after so many. */
function questions(quiet: number, milliseconds: number): number {
  let count = 0;
  for (let at = quiet; at < quiet + milliseconds; at += pauseAfter(at)) count++;
  return count;
}

test('an idle process asks some four times a second, one that was busy a moment ago at once', () => {
  assert.equal(pauseAfter(0), 1);
  assert.equal(pauseAfter(1000), 20);
  assert.equal(pauseAfter(10_000), 20);
  assert.equal(pauseAfter(125_000), 250);
  assert.ok(questions(0, 1000) < 300);
  assert.ok(questions(0, 60_000) < 2000);
  assert.ok(questions(200_000, 3_600_000) <= 14_401);
});

test('there is one question for all who wait, and none for who was told and has not looked', async () => {
  const asked: string[][] = [];
  let waiting = new Set<string>();
  const ask: Ask = (names) => {
    asked.push([...names]);
    return Promise.resolve(new Set(names.filter((name) => waiting.has(name))));
  };
  const poll = new Poll();
  const woken: string[] = [];
  const ends = ['a', 'b', 'c'].map((name) => poll.listen(name, { wake: () => woken.push(name), ask }));
  await until('they are asked for', () => asked.length > 0);
  assert.deepEqual(asked[0], ['a', 'b', 'c']);
  waiting = new Set(['b']);
  await until('it is told', () => woken.length > 0);
  const before = asked.length;
  await until('the others are asked for', () => asked.length > before);
  assert.deepEqual(asked.at(-1), ['a', 'c']);
  assert.deepEqual(woken, ['b']);
  poll.looked('b');
  await until('it is told again', () => woken.length > 1);
  poll.rung('a');
  const [first, ...rest] = ends;
  for (const end of rest) end();
  await sleep(20);
  const last = asked.length;
  await sleep(20);
  assert.equal(asked.length, last, 'the only one left was rung');
  first?.();
});

test('a question that fails wakes those who wait, so that they find out why', async () => {
  const poll = new Poll();
  let woken = 0;
  const end = poll.listen('a', { wake: () => woken++, ask: () => Promise.reject(new Error('gone')) });
  await until('it is woken', () => woken > 0);
  end();
});
