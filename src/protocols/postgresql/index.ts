/** The protocol PostgreSQL: messages are rows on a server, which several machines reach, and which outlives everybody. */
import { createRequire } from 'node:module';
import type { Protocol } from '../../protocol/protocol.ts';
import type { Database } from '../sql-server/database.ts';
import { makeServerProtocol } from '../sql-server/protocol.ts';
import { channelsOf, query } from './channels.ts';
import { handle } from './handle.ts';
import { connect } from './link.ts';
import { recipe } from './recipe.ts';
import { complete, drop, inspect, make } from './schema.ts';
import { own, send, statements } from './statements.ts';
import { verdictOf } from './verdict.ts';
import { defaultPass, defaultUser, words } from './words.ts';

/** What the shared layer needs to know. */
export const database: Database = {
  name: 'PostgreSQL',
  words,
  capabilities: {
    crossProcess: true,
    suspend: true,
    acknowledge: true,
    survivesReader: true,
    capacity: Infinity,
    largestMessage: Infinity,
    longestName: 512,
    nullInNames: false,
    unit: 'content',
    wakeUp: 'notify',
    ordering: 'stamp',
    needs: 'a PostgreSQL server, or its programs, and the package pg',
  },
  longestName: 512,
  driverMissing(): string | undefined {
    try {
      createRequire(import.meta.url).resolve('pg');
      return undefined;
    } catch {
      return 'the package pg is not installed; run "npm install pg"';
    }
  },
  connect,
  handle,
  defaultUser,
  defaultPass,
  statements,
  schema: { make, complete, inspect, drop },
  own,
  send,
  transaction: { begin: 'BEGIN ISOLATION LEVEL READ COMMITTED', commit: 'COMMIT', rollback: 'ROLLBACK' },
  judge: verdictOf,
  channels: { query, of: channelsOf },
  recipe,
};

/** The protocol. */
export const protocol: Protocol = makeServerProtocol(database);

export default protocol;
