/** Services and workers, in several files. */
import assert from 'node:assert/strict';
import { rejectsWith } from '../assertions.ts';
import { helper } from '../services/helper.ts';
import type { Suite } from '../suite.ts';
import { serviceBacklogTests } from './services-backlogs.ts';
import { serviceCallbackTests } from './services-callbacks.ts';
import { serviceDaemonTests } from './services-daemons.ts';
import { serviceEndingTests } from './services-endings.ts';
import { serviceErrorTests } from './services-errors.ts';
import { serviceFaultTests } from './services-faults.ts';
import { serviceRequestTests } from './services-requests.ts';
import { serviceStartTests } from './services-starts.ts';
import { serviceWorkerTests } from './services-workers.ts';

/** Tests of services. */
export function serviceTests(suite: Suite): void {
  serviceRequestTests(suite);
  serviceErrorTests(suite);
  serviceCallbackTests(suite);
  serviceBacklogTests(suite);
  serviceEndingTests(suite);
  serviceStartTests(suite);
  serviceWorkerTests(suite);
  serviceFaultTests(suite);
  serviceDaemonTests(suite);

  if (suite.subject.capabilities.crossProcess) return;
  suite.test('no crossProcess: a service in a process of its own is refused, and nothing is left', async (scene) => {
    const bus = await scene.bus();
    await rejectsWith(scene.service(bus, 'helper', helper), 'IPCM_NOT_SUPPORTED');
    await rejectsWith(scene.service(undefined, 'helper', helper), 'IPCM_NOT_SUPPORTED');
    await rejectsWith(bus.cleave(), 'IPCM_NOT_SUPPORTED');
    assert.deepEqual(await (await scene.connect(bus, 'a')).peers(), []);
  });
}
