import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipcmSpawn } from '../../src/index.ts';
import { ipcmServe, ipcmServiceHandle, type ServiceDefinition } from '../../src/service/index.ts';
import { rejectsWith } from '../../src/testing/assertions.ts';
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

test(
  'a handler whose thenable throws instead of rejecting is answered with an error',
  { timeout: 60_000 },
  async () => {
    await using bus = await ipcmSpawn({ protocol: 'LocalMemory' });
    const errors: unknown[] = [];
    // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
    const answers: unknown[] = [{ then: fail }, Object.defineProperty({}, 'then', { get: fail }), 'and goes on'];
    const { service } = await ipcmServe('thenable', bus, {
      handleRequest: () => answers.shift(),
      onError: (error) => void errors.push(error),
    });
    const handle = await ipcmServiceHandle('thenable', bus.info);
    for (let n = 0; n < 2; n++) await rejectsWith(handle.request(n), 'IPCM_REQUEST_FAILED');
    assert.equal(await handle.request('next'), 'and goes on');
    assert.deepEqual(
      errors.map((error) => error instanceof RangeError),
      [true, true],
    );
    await handle.stop();
    service.end();
  },
);
