// A service: what its handler returns is the answer. Others import this module for its types, its own process to run it.
import { defineService } from 'ipc-manager/service';

export default defineService({
  handleRequest: (request: { readonly text: string }) => ({ echo: request.text, pid: process.pid }),
});
