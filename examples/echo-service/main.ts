// Starts a service in a process of its own, asks it, and ends it by leaving the scope.
import { ipcmService } from 'ipc-manager/service';
import echo from './echo.ts';

// Resolves when the service is ready. Without a bus of ours it gets one, which goes with it.
await using service = await ipcmService('echo', echo);

const answer = await service.request({ text: 'hello' }, { timeout: 10_000 });
console.log(`${process.pid} asked, and ${answer.pid} answered`, answer.echo);

// Several at once; answers find their requests by id.
const answers = await Promise.all(['a', 'b', 'c'].map((text) => service.request({ text })));
console.log(answers.map(({ echo: text }) => text).join(' '));

const { requests, uptime } = await service.info();
console.log(`it has answered ${requests} requests in ${uptime} ms`);
