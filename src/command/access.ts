/** Whom to connect to a database server as. The password is no option, since everybody can read a command line. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { usageError } from './exit.ts';

/** What every connect and spawn of the command is called with. */
export interface Access {
  readonly user: string | undefined;
  readonly pass: string | undefined;
}

interface AccessOptions {
  readonly user?: string;
  readonly passwordFile?: string;
}

let given: Access = { user: undefined, pass: undefined };

/** Adds the options to the program; they are read before a subcommand begins. */
export function addAccess(program: Command): void {
  program
    .option('--user <name>', 'user of a database server (or set IPCM_USER)')
    .option('--password-file <file>', 'file whose first line is the password (or set IPCM_PASSWORD)')
    .hook('preAction', (_, command) => {
      const { user, passwordFile } = command.optsWithGlobals<AccessOptions>();
      // Not in the environment, which every process that is started inherits.
      given = { user, pass: passwordFile === undefined ? undefined : firstLine(passwordFile) };
    });
}

/** User and password, as far as they were given. */
export function access(): Access {
  const { IPCM_USER: user, IPCM_PASSWORD: pass } = process.env;
  return { user: given.user ?? user, pass: given.pass ?? pass };
}

function firstLine(file: string): string {
  try {
    return readFileSync(file, 'utf8').split(/\r?\n/, 1)[0] ?? '';
  } catch (error) {
    throw usageError(`the password file cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}
