// Three jobs at once, each in a worker; one that fails; the service answers others meanwhile.
import { ipcmService } from 'ipc-manager/service';
import runner from './runner.ts';

await using service = await ipcmService('runner', runner);

const jobs = [1e6, 3e6, 5e6].map(async (upTo) => {
  const primes = await service.request({ upTo }, { timeout: 30_000 });
  console.log(`${primes} primes up to ${upTo}`);
});
const { open } = await service.info();
console.log(`${open} requests are open, and it answers all the same`);
await Promise.all(jobs);

try {
  await service.request({ upTo: -1 }, { timeout: 30_000 });
} catch (error) {
  console.log('as expected:', error instanceof Error ? error.message : error);
}
