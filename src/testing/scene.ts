/**
 * What one test works with: buses, clients and child processes, which end with the test, whatever it does to them.
 *
 * A scene that ends well leaves nothing: clients disconnect, children are killed, stores are removed and are then really
 * gone. A failed test keeps its stores to be looked at, and says where they are.
 */
import { ipcmConnect, ipcmReconnect, ipcmSpawn, type ConnectOptions, type SpawnOptions } from '../bus.ts';
import type { Client } from '../client/client.ts';
import { isIpcError } from '../errors.ts';
import type { Capabilities, Protocol, Store } from '../protocol/protocol.ts';
import { resolveSerializer } from '../serializers/resolve.ts';
import type { ServiceHandle } from '../service/handle.ts';
import { ipcmServe, type RunningService, type ServeOptions, type ServiceBody } from '../service/serve.ts';
import { ipcmService, ipcmServiceHandle, type ServiceInput, type ServiceOptions } from '../service/start.ts';
import type { Spawn } from '../spawn/spawn.ts';
import { ChildClient, type ChildOptions } from './child-process.ts';
import type { ConformanceFactory } from './factory.ts';

/** A protocol under test. */
export interface Subject {
  readonly factory: ConformanceFactory;
  readonly protocol: Protocol;
  readonly capabilities: Capabilities;
}

type Clients<Names extends readonly string[]> = { readonly [K in keyof Names]: Client };

/** The means of one test. */
export class Scene {
  readonly subject: Subject;
  readonly #buses: Spawn[] = [];
  readonly #clients: Client[] = [];
  readonly #children: ChildClient[] = [];
  readonly #handles: ServiceHandle[] = [];
  readonly #services: RunningService[] = [];

  constructor(subject: Subject) {
    this.subject = subject;
  }

  get capabilities(): Capabilities {
    return this.subject.capabilities;
  }

  /** Options for a store of this protocol, those of the factory among them. */
  async spawnOptions(options: SpawnOptions = {}): Promise<SpawnOptions> {
    const { factory } = this.subject;
    return { protocol: factory.protocol, ...(await factory.spawnOptions?.()), ...options };
  }

  /** A new store. It is not guarded unless the options say so: the scene removes it. */
  async bus(options: SpawnOptions = {}): Promise<Spawn> {
    const bus = await ipcmSpawn(await this.spawnOptions({ guard: false, ...options }));
    this.#buses.push(bus);
    return bus;
  }

  /** A client of this process, connected by the info string as an outsider would be. */
  async connect(bus: Spawn | string, name: string, options: ConnectOptions = {}): Promise<Client> {
    const client = await ipcmConnect(name, String(bus), { ...this.#connectOptions(), ...options });
    this.#clients.push(client);
    return client;
  }

  /** A client that comes back. */
  async reconnect(bus: Spawn | string, name: string, options: ConnectOptions = {}): Promise<Client> {
    const client = await ipcmReconnect(name, String(bus), { ...this.#connectOptions(), ...options });
    this.#clients.push(client);
    return client;
  }

  /** Several clients of this process, in the order of the names. */
  async clients<const Names extends readonly string[]>(bus: Spawn, ...names: Names): Promise<Clients<Names>> {
    const clients: Client[] = [];
    for (const name of names) clients.push(await this.connect(bus, name));
    return clients as unknown as Clients<Names>;
  }

  /** A child process that is not connected yet. */
  async child(options: ChildOptions = {}): Promise<ChildClient> {
    const child = await ChildClient.start(options);
    this.#children.push(child);
    return child;
  }

  /** A client in a process of its own. */
  async childClient(
    bus: Spawn | string,
    name: string,
    options: ChildOptions & ConnectOptions = {},
  ): Promise<ChildClient> {
    const { shell, ...connectOptions } = options;
    const child = await this.child({ shell });
    await this.connectChild(child, bus, name, 'connect', connectOptions);
    return child;
  }

  /** Has a child make a store; the test removes it. */
  async spawnIn(child: ChildClient, options: SpawnOptions): Promise<{ readonly info: string; readonly route: string }> {
    return child.call('spawn', { options: await this.#plainSpawnOptions(options) });
  }

  /** Has a child make a store and hand it over; the test has to end its keeper. */
  async cleaveIn(
    child: ChildClient,
  ): Promise<{ readonly info: string; readonly route: string; readonly keeper: number }> {
    return child.call('cleave', { spawn: await this.#plainSpawnOptions({}) });
  }

  /** Has a child start a service on a store of its own, which the test removes if that child does not. */
  async serviceIn(
    child: ChildClient,
    options: SpawnOptions = {},
  ): Promise<{ readonly pid: number; readonly route: string }> {
    return child.call('service', { spawn: await this.#plainSpawnOptions(options) });
  }

  /** Connects a child, or has it come back. */
  async connectChild(
    child: ChildClient,
    bus: Spawn | string,
    name: string,
    mode: 'connect' | 'reconnect' = 'connect',
    options: ConnectOptions = {},
  ): Promise<void> {
    const { childProtocol, connectOptions } = this.subject.factory;
    await child.connect({
      name,
      info: String(bus),
      mode,
      protocol: childProtocol,
      options: { ...connectOptions, ...options },
    });
  }

  /** Options of `ipcmService` for a service on a store of this protocol that is made for it. */
  async serviceOptions(): Promise<ServiceOptions> {
    const { childProtocol, protocol } = this.subject.factory;
    // The new process has nothing but the connection info to find the protocol by.
    const spawn = { ...(await this.spawnOptions()), protocol: childProtocol ?? protocol };
    return { spawn, connect: this.#connectOptions() };
  }

  /** A service in a process of its own; on a store of its own unless a bus is given. */
  async service<Request, Response, Params>(
    bus: Spawn | string | undefined,
    name: string,
    what: ServiceInput<Request, Response, Params>,
    options: ServiceOptions<Params> = {},
  ): Promise<ServiceHandle<Request, Response>> {
    const { spawn, connect } = await this.serviceOptions();
    const place = bus === undefined ? { spawn } : { ipcmInfo: String(bus) };
    const handle = await ipcmService(name, what, {
      ...place,
      ...options,
      connect: { ...connect, ...options.connect },
    });
    this.#handles.push(handle);
    return handle;
  }

  /** A service in this process. */
  async serve<Request, Response, Params>(
    bus: Spawn,
    name: string,
    body: ServiceBody<Request, Response, Params>,
    options: ServeOptions<Params> = {},
  ): Promise<RunningService<Params>> {
    const running = await ipcmServe(name, String(bus), body, { connect: this.#connectOptions(), ...options });
    this.#services.push(running);
    return running;
  }

  /** A way to a service that runs already. */
  async handle<Request = unknown, Response = unknown>(
    bus: Spawn | string,
    name: string,
  ): Promise<ServiceHandle<Request, Response>> {
    const handle = await ipcmServiceHandle<Request, Response>(name, String(bus), this.#connectOptions());
    this.#handles.push(handle);
    return handle;
  }

  /** True while there is a store at a route. */
  async exists({ route }: { readonly route: string }): Promise<boolean> {
    try {
      await this.#withStore(route, (store) => store.peers());
      return true;
    } catch (error) {
      if (isIpcError(error, 'IPCM_STORE_MISSING')) return false;
      throw error;
    }
  }

  /** Removes a store behind the back of those who use it; one that is gone already is fine. */
  async removeStore(route: string): Promise<void> {
    try {
      await this.#withStore(route, (store) => store.remove());
    } catch (error) {
      if (!isIpcError(error, 'IPCM_STORE_MISSING')) throw error;
    }
  }

  /** Ends everything that the test has started. */
  async end(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.destroy()));
    for (const handle of this.#handles) await complaining(handle.stop());
    for (const { service, ended } of this.#services) {
      service.end();
      // Whatever ended it was the test's to notice.
      await ended.catch(() => undefined);
    }
    for (const client of this.#clients) if (!client.disconnected) await complaining(client.disconnect(() => undefined));
    for (const bus of this.#buses) {
      await bus.unspawn();
      if (await this.exists(bus)) throw new Error(`the store ${bus.route} is still there after unspawn`);
    }
  }

  /** Ends the children of a test that failed, and tells what there is to look at. */
  async abandon(): Promise<string> {
    await Promise.all(this.#children.map((child) => child.destroy()));
    await Promise.allSettled(this.#handles.map((handle) => handle.stop({ timeout: 1000 })));
    for (const { service } of this.#services) service.end();
    for (const client of this.#clients) client.closeSync();
    const stderr = this.#children.map((child) => child.stderr).join('');
    const routes = this.#buses.map(({ route }) => route).join(', ');
    return `${routes === '' ? '' : `kept: ${routes}`}${stderr === '' ? '' : `\nstderr of the children: ${stderr}`}`;
  }

  async #withStore(route: string, work: (store: Store) => unknown): Promise<void> {
    const { factory, protocol } = this.subject;
    const serializer = await resolveSerializer('JSON');
    const protocolOptions = factory.connectOptions?.protocolOptions ?? {};
    const store = await protocol.open(route, { serializer, limits: { maxMessageBytes: 1 << 20 }, protocolOptions });
    try {
      await work(store);
    } finally {
      await store.close();
    }
  }

  /** As `spawnOptions`, for another process. */
  async #plainSpawnOptions(options: SpawnOptions): Promise<Readonly<Record<string, unknown>>> {
    const { childProtocol, protocol } = this.subject.factory;
    const named = childProtocol ?? (typeof protocol === 'string' ? protocol : protocol.className);
    return { ...(await this.spawnOptions(options)), protocol: named };
  }

  #connectOptions(): ConnectOptions {
    const { protocol, connectOptions } = this.subject.factory;
    return typeof protocol === 'string' ? { ...connectOptions } : { protocol, ...connectOptions };
  }
}

/** Waits for an end; what the bus has to complain about was the test's to notice. */
async function complaining(end: Promise<unknown>): Promise<void> {
  try {
    await end;
  } catch (error) {
    const known = error instanceof AggregateError ? (error.errors as unknown[]) : [error];
    if (!known.every((each) => isIpcError(each))) throw error;
  }
}
