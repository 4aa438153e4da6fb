// The service behind the proxy.
import { defineService } from 'ipc-manager/service';

export default defineService({
  handleRequest: (n: number, { deadline }) => ({ square: n * n, hurry: deadline !== undefined }),
});
