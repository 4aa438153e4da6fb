// Asks a proxy, which asks a service that it has started itself.
import { ipcmService } from 'ipc-manager/service';
import proxy from './proxy.ts';

await using service = await ipcmService('proxy', proxy);

for (const n of [12, 12, 7]) console.log(n, await service.request(n, { timeout: 10_000 }));

// Both are on one bus, and everybody there can ask either.
console.log('on the bus:', (await service.client.peers()).join(', '));
console.log('asked directly:', await service.peer('backend').request(5));
