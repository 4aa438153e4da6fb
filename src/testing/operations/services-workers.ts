/** Workers: processes that are part of a service. */
import assert from 'node:assert/strict';
import { ipcmWorker } from '../../service/worker.ts';
import { rejectsWith, take, takeContents } from '../assertions.ts';
import { lives } from '../faults.ts';
import { helper } from '../services/helper.ts';
import type { Suite } from '../suite.ts';
import { until } from '../until.ts';

/** Tests of workers. */
export function serviceWorkerTests(suite: Suite): void {
  suite.crossProcess('workers run, are counted, and end with their service: TERM, then KILL', async (scene) => {
    const bus = await scene.bus();
    const observer = await scene.connect(bus, 'observer');
    const handle = await scene.service(bus, 'helper', helper);
    const patient = (await handle.request({ do: 'work', with: { name: 'patient', params: [1] } })) as number;
    const [first] = await takeContents(observer, 1);
    assert.deepEqual(first, { name: 'patient', service: 'helper', params: [1], pid: patient });
    const stubborn = (await handle.request({ do: 'work', with: { name: 'stubborn' } })) as number;
    const busy = (await handle.request({ do: 'work', with: { name: 'busy' } })) as number;
    assert.deepEqual(await handle.request({ do: 'workers' }), [
      ['patient', patient],
      ['stubborn', stubborn],
      ['busy', busy],
    ]);
    assert.deepEqual(
      (await handle.info()).workers.map(({ pid }) => pid),
      [patient, stubborn, busy],
    );
    const stopped = handle.stop();
    const said = (await take(observer, 4)).map(({ from, content }) =>
      JSON.stringify([from.replace(/-\d+$/, ''), content]),
    );
    await stopped;
    assert.deepEqual(said.toSorted(), [
      '["helper",["busy",null,"SIGKILL"]]',
      '["helper",["patient",0,null]]',
      '["helper",["stubborn",null,"SIGKILL"]]',
      '["patient","patient was told"]',
    ]);
    assert.deepEqual([patient, stubborn, busy].filter(lives), []);
    assert.deepEqual(await handle.ended, { code: 0, signal: null });
  });

  suite.crossProcess(
    'a worker that returns, throws or is killed leaves the list; its service goes on',
    async (scene) => {
      const bus = await scene.bus();
      const observer = await scene.connect(bus, 'observer');
      const handle = await scene.service(bus, 'helper', helper);
      await handle.request({ do: 'work', with: { name: 'brief' } });
      assert.deepEqual(await takeContents(observer, 1), [['brief', 0, null]]);
      await handle.request({ do: 'work', with: { name: 'failing', params: 'sadly' } });
      assert.deepEqual(await takeContents(observer, 1), [['failing', 1, null]]);
      const pid = (await handle.request({ do: 'work', with: { name: 'busy' } })) as number;
      process.kill(pid, 'SIGKILL');
      assert.deepEqual(await takeContents(observer, 1), [['busy', null, 'SIGKILL']]);
      await until('none is listed', async () => ((await handle.request({ do: 'workers' })) as unknown[]).length === 0);
      await rejectsWith(handle.request({ do: 'work', with: { name: 'nonsense' } }), 'IPCM_REQUEST_FAILED');
      assert.deepEqual(await handle.request({ do: 'workers' }), []);
    },
  );

  suite.test('a worker needs a service', async () => {
    await rejectsWith(
      ipcmWorker('nobody', () => undefined),
      'IPCM_NOT_IN_SERVICE',
    );
  });
}
