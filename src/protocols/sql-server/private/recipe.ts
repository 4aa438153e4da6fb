/** How a kind of server is started for one store alone. */
import type { DataSource } from '../data-source.ts';

/** The folders of a private server. */
export interface Folders {
  /** For its data: private to the user that the server runs as. */
  readonly data: string;
  /** For its socket and temporary files. The path is short enough for a socket in it. */
  readonly run: string;
}

/** A program with its arguments. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

/** How to make and serve a data directory. */
export interface Recipe {
  /** What people install to have the server: "the package postgresql". */
  readonly package: string;
  /** Programs needed, each with the name under which the recipe asks for it. */
  readonly programs: Readonly<Record<string, readonly string[]>>;
  /** What `--version` says where several servers share a program's name. */
  readonly accepts?: Readonly<Record<string, RegExp>>;
  /** Where they may be beside `PATH`: patterns whose `*` stands for one part; of several the last by version wins. */
  readonly places: readonly string[];
  /** Users that a server started by root runs as, if there is one of these; else `nobody`. */
  readonly users: readonly string[];
  /** Makes the data directory. `user` is the name to be the database's administrator. */
  prepare(folders: Folders, programs: Readonly<Record<string, string>>, user: string): readonly Command[];
  /** The server in the foreground, on a unix socket alone, its messages on stderr. */
  serve(folders: Folders, programs: Readonly<Record<string, string>>): Command;
  /** What it says on stderr when it takes connections. */
  readonly ready: RegExp;
  /** Signal that ends it at once: its data go with it, so that nothing has to be done in order. */
  readonly stop: NodeJS.Signals;
  /** The store in it. */
  source(folders: Folders): DataSource;
}
