/** What the author of a protocol gives to the conformance suite. */
import type { ConnectOptions, SpawnOptions } from '../bus.ts';
import type { Protocol } from '../protocol/protocol.ts';
import type { SerializerSpec } from '../serializers/serializer.ts';

/** Makes stores of one protocol for the suite. */
export interface ConformanceFactory {
  /** What the report calls the protocol. */
  readonly name: string;
  /** The protocol: a name, `+` and a module specifier, or the object itself. */
  readonly protocol: string | Protocol;
  /**
   * How another process finds the protocol, where the connection info does not tell it: `+` and the URL of a module. Needed
   * only when `protocol` is an object whose `className` cannot be imported.
   */
  readonly childProtocol?: string | undefined;
  /** Options of each store's `ipcmSpawn`; called once per store, so that each can have a route of its own. */
  spawnOptions?(): SpawnOptions | Promise<SpawnOptions>;
  /** Options of each connect, also in other processes: whatever they hold must be JSON. */
  readonly connectOptions?: Omit<ConnectOptions, 'protocol' | 'serializer'> | undefined;
  /** Serializers to run the general tests with. Default: JSON, and the default of the runtime. */
  readonly serializers?: readonly SerializerSpec[] | undefined;
  /**
   * Puts raw bytes where a peer reads its messages, as somebody careless or hostile would. Without it one test says that
   * such bytes have not been tried.
   */
  injectGarbage?(info: string, peer: string, bytes: Uint8Array): Promise<void>;
  /** Called before the first test: starts a server, say. */
  setup?(): Promise<void>;
  /** Called after the last test. */
  teardown?(): Promise<void>;
}
