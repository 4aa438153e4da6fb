/** The part of node-ipc 14 that the benchmark uses; the package has no types of its own. */
declare module 'node-ipc' {
  import type { Socket } from 'node:net';

  export interface Client {
    readonly socket: Socket;
    on<T>(event: string, listener: (data: T, socket: Socket) => void): void;
    emit(event: string, data: unknown): boolean;
  }

  export interface Server {
    on<T>(event: string, listener: (data: T, socket: Socket) => void): void;
    emit(socket: Socket, event: string, data: unknown): boolean;
    start(): void;
    stop(): void;
  }

  const ipc: {
    readonly config: { silent: boolean; socketRoot: string; stopRetrying: boolean };
    readonly server: Server;
    readonly of: Readonly<Record<string, Client>>;
    serve(path: string, started: () => void): void;
    connectTo(id: string, path: string, made: () => void): void;
  };
  export default ipc;
}
