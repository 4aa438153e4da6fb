/** The lines of this process: one for each server and user, and who uses it. */
import { randomUUID } from 'node:crypto';
import type { Database, Target } from './database.ts';
import { Line } from './line.ts';

interface Shared {
  readonly line: Line;
  users: number;
}

const lines = new Map<string, Shared>();

/** A line for a target; targets of one key share it. To be let go of with {@link releaseLine}. */
export function acquireLine(database: Database, target: Target): Line {
  let shared = lines.get(target.key);
  if (shared === undefined) {
    // Short, and without the password: it is shown by the server to who asks for its connections.
    const id = `ipcm ${process.pid} ${randomUUID().slice(0, 18)}`;
    lines.set(target.key, (shared = { line: new Line(database, target, id), users: 0 }));
  }
  shared.users++;
  return shared.line;
}

/** Lets go of a line; true when nobody else uses it, and it is to be closed. */
export function releaseLine(target: Target): boolean {
  const shared = lines.get(target.key);
  if (shared === undefined || --shared.users > 0) return false;
  lines.delete(target.key);
  return true;
}
