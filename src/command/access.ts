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

/** Adds the options to the program; they are read before a subcommand begins. */
export function addAccess(program: Command): void {
  program
    .option('--user <name>', 'user of a database server (or set IPCM_USER)')
    .option('--password-file <file>', 'file whose first line is the password (or set IPCM_PASSWORD)')
    .hook('preAction', (_, command) => {
      const { user, passwordFile } = command.optsWithGlobals<AccessOptions>();
      // In the environment, where child processes of the command find them too.
      if (user !== undefined) process.env['IPCM_USER'] = user;
      if (passwordFile !== undefined) process.env['IPCM_PASSWORD'] = firstLine(passwordFile);
    });
}

/** User and password, as far as they were given. */
export function access(): Access {
  const { IPCM_USER: user, IPCM_PASSWORD: pass } = process.env;
  return { user, pass };
}

function firstLine(file: string): string {
  try {
    return readFileSync(file, 'utf8').split(/\r?\n/, 1)[0] ?? '';
  } catch (error) {
    throw usageError(`the password file cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}
