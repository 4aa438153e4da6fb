// One client tells all others; each outcome is known, and so is who was not there.
import { ipcmSpawn } from 'ipc-manager';

await using bus = await ipcmSpawn();
const chief = await bus.connect('chief');
const workers = await Promise.all(['ann', 'bob', 'cy'].map((name) => bus.connect(name)));

for (const [peer, outcome] of await chief.broadcast({ job: 'stop' })) {
  console.log(peer, outcome.sent ? 'was told' : outcome.error.code);
}
for (const worker of workers) {
  for (const message of await worker.getMessages()) console.log(worker.id, 'got', message.content);
}

const outcome = await chief.tryMessage('dora', { job: 'start' });
if (!outcome.sent) console.log(`${outcome.error.code}: ${outcome.error.message}`);
