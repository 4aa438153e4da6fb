import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gate } from '../../src/protocols/sql-server/gate.ts';

test('single statements go in together, a transaction alone, and all in the order in which they came', async () => {
  const gate = new Gate();
  const order: string[] = [];
  const enter = (name: string, alone: boolean): void => {
    const turn = gate.enter(alone);
    if (turn === undefined) order.push(name);
    else void turn.then(() => order.push(name));
  };
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  enter('a', false);
  enter('b', false);
  enter('C', true);
  enter('d', false);
  enter('e', false);
  enter('F', true);
  assert.deepEqual(order, ['a', 'b']);
  gate.leave();
  await settled();
  assert.deepEqual(order, ['a', 'b']);
  gate.leave();
  await settled();
  assert.deepEqual(order, ['a', 'b', 'C']);
  gate.leave();
  await settled();
  assert.deepEqual(order, ['a', 'b', 'C', 'd', 'e']);
  gate.leave();
  gate.leave();
  await settled();
  assert.deepEqual(order, ['a', 'b', 'C', 'd', 'e', 'F']);
  assert.equal(gate.idle, false);
  gate.leave();
  assert.equal(gate.idle, true);
});
