/**
 * The service that most tests start, in their own process and in others. It is an export of a module, since that is how
 * another process finds it; so this folder imports nothing of the tests themselves.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { isIpcError } from '../../errors.ts';
import { defineService } from '../../service/define.ts';
import type { RequestContext, Service, ServiceDefinition } from '../../service/definition.ts';
import { ipcmService } from '../../service/start.ts';
import { ipcmWorker } from '../../service/worker.ts';
import { workerModule } from '../worker-module.ts';

/** A request to {@link helper}: what to do, and with what. */
export interface Ask {
  readonly do: Task;
  readonly with?: unknown;
}

/** What {@link helper} can do. */
export type Task =
  | 'echo'
  | 'large'
  | 'about'
  | 'fail'
  | 'unsendable'
  | 'hang'
  | 'aborted'
  | 'hold'
  | 'holdUnsendable'
  | 'release'
  | 'messages'
  | 'strays'
  | 'peers'
  | 'slow'
  | 'busiest'
  | 'block'
  | 'send'
  | 'forward'
  | 'forwardLater'
  | 'nest'
  | 'work'
  | 'workers'
  | 'killWorkers'
  | 'answerAndExit'
  | 'exit'
  | 'end'
  | 'crash';

/** What {@link helper} tells of itself. */
export interface About {
  readonly pid: number;
  readonly name: string;
  readonly state: string;
  /** As `util.inspect` shows them. */
  readonly params: string;
  readonly execArgv: readonly string[];
  readonly cwd: string;
  readonly argv: readonly string[];
  readonly environment: string;
}

type Context = RequestContext<unknown>;

/** Does what it is asked. A class, so that each running service has a state of its own. */
class Helper implements ServiceDefinition<Ask> {
  readonly exposeErrorDetails = true;
  readonly concurrency = 8;
  readonly drainTimeout = 100;
  readonly grace = 300;

  readonly #service: Service;
  readonly #held: string[] = [];
  readonly #aborted: string[] = [];
  readonly #messages: unknown[] = [];
  readonly #strays: unknown[] = [];
  #inHand = 0;
  #busiest = 0;

  constructor(service: Service) {
    this.#service = service;
  }

  async handleRequest(ask: Ask, context: Context): Promise<unknown> {
    return this.#tasks[ask.do](ask.with, context);
  }

  /** Without it each failed request would be a warning on stderr. */
  onError(): void {}

  onGeneralMessage({ content }: { readonly content: unknown }): void {
    this.#messages.push(content);
  }

  handleResponse({ id, response }: { readonly id: string; readonly response: unknown }): void {
    this.#strays.push([id, response]);
  }

  readonly #tasks: Readonly<Record<Task, (value: unknown, context: Context) => unknown>> = {
    echo: (value) => value,
    large: (bytes) => 'x'.repeat(Number(bytes)),
    about: () => this.#about(),
    fail: (message) => {
      throw new RangeError(String(message));
    },
    unsendable: () => ({ huge: 1n }),
    hang: async (name, { signal }) => {
      if (!signal.aborted) await once(signal, 'abort');
      const { reason } = signal as { reason: { code?: string } };
      this.#aborted.push(`${String(name)}: ${reason.code}`);
      // Its sender waits no longer, by a timer of its own, which may be a little late.
      await sleep(50);
    },
    aborted: () => this.#aborted,
    hold: (_, context) => {
      this.#held.push(context.id);
      return context.later();
    },
    holdUnsendable: (_, context) => {
      setImmediate(() => {
        this.#service.sendResponse(context.id, { huge: 1n }).catch((error: unknown) => {
          this.#messages.push(isIpcError(error) ? error.code : error);
        });
      });
      return context.later();
    },
    release: async () => {
      for (const id of this.#held.splice(0).reverse()) await this.#service.sendResponse(id, `released ${id}`);
    },
    messages: () => this.#messages.splice(0),
    strays: () => this.#strays.splice(0),
    peers: () => this.#service.client.peers(),
    slow: async (milliseconds) => {
      this.#busiest = Math.max(this.#busiest, ++this.#inHand);
      await sleep(Number(milliseconds));
      this.#inHand--;
    },
    busiest: () => this.#busiest,
    block: async (milliseconds, { service }) => {
      await service.client.sendMessage('observer', 'blocking');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(milliseconds));
      return 'unblocked';
    },
    send: (value) => {
      const { to, content } = value as { to: string; content: unknown };
      return this.#service.client.sendMessage(to, content);
    },
    forward: (value) => {
      const { to, ask } = value as { to: string; ask: Ask };
      return this.#service.peer(to).request(ask);
    },
    forwardLater: (value, context) => {
      const { to, ask } = value as { to: string; ask: Ask };
      this.#service.peer(to).sendRequest(ask, {
        callback: (error, response) => {
          void (error === undefined
            ? this.#service.sendResponse(context.id, response)
            : this.#service.sendError(context.id, error));
        },
      });
      return context.later();
    },
    nest: async (name) => {
      const inner = await ipcmService(String(name), helper);
      return [inner.childPid, this.#service.peer(String(name)).childPid, await inner.servicePid()];
    },
    work: async (value) => {
      const { name, params } = value as { name: string; params: unknown };
      const worker = await ipcmWorker(name, `${workerModule}#${name}`, { params });
      void worker.ended.then(({ code, signal }) => this.#service.client.tryMessage('observer', [name, code, signal]));
      return worker.pid;
    },
    workers: () => this.#service.children.workers.map(({ name, pid }) => [name, pid]),
    killWorkers: () => this.#service.children.workers.map((worker) => worker.kill()),
    answerAndExit: (value, context) => {
      void this.#service.sendResponse(context.id, value).then(() => process.exit(0));
      return context.later();
    },
    exit: (code) => process.exit(Number(code)),
    end: () => {
      this.#service.end();
      return 'ending';
    },
    crash: () => {
      setImmediate(() => {
        throw new Error('nobody catches this');
      });
      return new Promise(() => undefined);
    },
  };

  #about(): About {
    const { pid, name, state, params } = this.#service;
    const { execArgv, argv } = process;
    return {
      pid,
      name,
      state,
      params: inspect(params),
      execArgv,
      cwd: process.cwd(),
      argv,
      environment: JSON.stringify(process.env),
    };
  }
}

/** A service that does what it is asked. */
export const helper = defineService<Ask, unknown, unknown>(Helper);
