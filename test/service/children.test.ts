import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deferred } from '../../src/launch/deferred.ts';
import type { Ending, Launched } from '../../src/launch/launched.ts';
import { ServiceChildren } from '../../src/service/children.ts';

/** What the children need of a process. */
class Fake {
  readonly name: string;
  readonly childPid = 1;
  readonly #ended = deferred<Ending>();
  stopped = 0;

  constructor(name: string) {
    this.name = name;
  }

  get ended(): Promise<Ending> {
    return this.#ended.promise;
  }

  get gone(): Promise<void> {
    return this.ended.then(() => undefined);
  }

  kill(): boolean {
    return true;
  }

  async stop(): Promise<void> {
    this.stopped++;
    await Promise.resolve();
    this.#ended.resolve({ code: 0, signal: null });
  }
}

const launched = (fake: Fake): Launched => fake as unknown as Launched;

test('of two services of one name the one that has it is the one that is known, and both are ended', async () => {
  const children = new ServiceChildren(() => 0);
  const [first, second] = [new Fake('first'), new Fake('second')];
  children.addService('same', launched(first));
  children.addService('same', launched(second));
  assert.equal(children.service('same'), first);
  await second.stop();
  await new Promise(setImmediate);
  assert.equal(children.service('same'), first);
  await children.stop();
  assert.deepEqual([first.stopped, second.stopped], [1, 1]);
  assert.equal(children.service('same'), undefined);
});

test('what is started while the others are ended, or afterwards, is ended too', async () => {
  const children = new ServiceChildren(() => 0);
  const [first, meanwhile, late] = [new Fake('first'), new Fake('meanwhile'), new Fake('late')];
  children.addService('first', launched(first));
  void first.ended.then(() => children.addWorker('meanwhile', launched(meanwhile)));
  await children.stop();
  children.addService('late', launched(late));
  assert.deepEqual([first.stopped, meanwhile.stopped, late.stopped], [1, 1, 1]);
});
