/** A service that tells the client `observer` of everything that happens to it. */
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineService } from '../../service/define.ts';
import type { Service } from '../../service/definition.ts';

/** What it can be asked for. */
export type DiaryRequest = 'child' | 'add' | 'remove' | 'end' | 'throw in a callback' | 'throw' | 'reject';

let ending = false;
let intervals = 0;
let inMessage = 0;

async function tell(service: Service, what: unknown): Promise<void> {
  await service.client.tryMessage('observer', what);
}

const extra = (_: unknown, service: Service): Promise<void> => tell(service, 'extra');

/** The diary. */
export const diary = defineService<DiaryRequest>({
  interval: 20,
  exposeErrorDetails: true,
  grace: 300,
  onSig: {
    SIGUSR2: (signal, service) => tell(service, signal),
  },
  async handleRequest(request, { service }) {
    if (request === 'child') execFile('sh', ['-c', 'exit 7'], () => undefined);
    if (request === 'add') service.addCallback('onGeneralMessage', extra, { first: true });
    if (request === 'remove') return service.removeCallback('onGeneralMessage', extra);
    if (request === 'throw in a callback') service.addCallback('onInterval', fail);
    if (request === 'end') ending = true;
    if (request === 'throw') setImmediate(fail);
    if (request === 'reject') void Promise.resolve().then(fail);
    return service.pid;
  },
  onStart: (service) => tell(service, 'start'),
  async onInterval(service) {
    if (++intervals <= 3) await tell(service, 'interval');
  },
  onPeerDelta: (delta, service) => tell(service, delta),
  onPid: ({ code, signal }, service) => tell(service, { ended: [code, signal] }),
  async onGeneralMessage({ content }, service) {
    // The first takes longest, so that the others would overtake it if they could.
    const others = inMessage++;
    await sleep(content === 0 ? 30 : 1);
    await tell(service, { content, others });
    inMessage--;
  },
  onCleanup: (service) => tell(service, 'cleanup'),
  shouldEnd: () => ending,
});

function fail(): never {
  throw new Error('a callback that fails');
}
