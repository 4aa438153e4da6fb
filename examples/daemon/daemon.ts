// The daemon: a counter that goes on when the terminal is closed.
import { defineService } from 'ipc-manager/service';

export type Command = { readonly add: number } | { readonly stop: true };

let total = 0;

export default defineService({
  handleRequest(command: Command, { service }) {
    if ('stop' in command) service.end();
    else total += command.add;
    return { total, pid: process.pid };
  },
});
