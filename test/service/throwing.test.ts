import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipcmSpawn } from '../../src/index.ts';
import { ipcmServe, type ServiceDefinition } from '../../src/service/index.ts';
import { until } from '../../src/testing/until.ts';

const fail = (): never => {
  throw new RangeError('as it does');
};

const bodies: Readonly<Record<string, ServiceDefinition>> = {
  onInterval: { interval: 5, onInterval: fail },
  onSig: { onSig: { SIGWINCH: fail } },
  shouldEnd: { onGeneralMessage: () => undefined, shouldEnd: fail },
};

for (const [name, body] of Object.entries(bodies)) {
  test(`a service whose ${name} throws ends with that, unless errors are intercepted`, async () => {
    await using bus = await ipcmSpawn({ protocol: 'LocalMemory' });
    const client = await bus.connect('client');
    const errors: unknown[] = [];
    const onError = (error: unknown): void => void errors.push(error);
    for (const interceptErrors of [false, true]) {
      const { service, ended } = await ipcmServe('throwing', bus, { ...body, interceptErrors, onError });
      const failed = ended.then(
        () => 'ended',
        (error: unknown) => error instanceof RangeError,
      );
      if (name === 'onSig') process.kill(process.pid, 'SIGWINCH');
      if (name === 'shouldEnd') await client.sendMessage('throwing', 'anything');
      if (interceptErrors) {
        await until('it has been told', () => errors.length > 0);
        assert.equal(service.state, 'running');
        service.end();
        assert.equal(await failed, 'ended');
      } else {
        assert.equal(await failed, true);
        assert.deepEqual(errors, []);
      }
    }
    assert.ok(errors[0] instanceof RangeError);
  });
}
