/** What PostgreSQL's errors mean. */
import type { Verdict } from '../sql-server/database.ts';

/** SQLSTATEs (postgresql.org/docs/current/errcodes-appendix.html), or their first two characters for a whole class. */
const states: Readonly<Record<string, Verdict>> = {
  '08': 'lost',
  '57P01': 'lost',
  '57P02': 'lost',
  '57P03': 'lost',
  '57P05': 'lost',
  '25P03': 'lost',
  '53300': 'lost',
  '40': 'busy',
  '55P03': 'busy',
  '55006': 'busy',
  // Somebody made the same table, function or trigger at the same moment.
  '42P07': 'busy',
  '42710': 'busy',
  '42723': 'busy',
  '23503': 'orphan',
  '42P01': 'missing',
  '3D000': 'missing',
  '3F000': 'missing',
  '53100': 'full',
  '54': 'large',
  '28': 'denied',
  '42501': 'denied',
};

/** What the driver says itself when there is no connection. */
const cutOff = /^(?:Connection terminated|Client (?:has encountered|was closed)|timeout expired|The server closed)/;

/** What it says when the server asks for a password, and it has none. */
const passwordMissing = /client password must be/;

/** What an error means. */
export function verdictOf(error: unknown): Verdict {
  if (!(error instanceof Error)) return 'other';
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  if (typeof code !== 'string' && passwordMissing.test(error.message)) return 'denied';
  if (typeof code !== 'string') return cutOff.test(error.message) ? 'lost' : 'other';
  // Two who take a name at once, or make the tables: the next try sees what the other one did.
  if (code === '23505') return constraint === 'ipcm_messages_pkey' ? 'duplicate' : 'busy';
  if (code === 'XX000' && /concurrently (?:updated|deleted)/.test(error.message)) return 'busy';
  if (code === 'XX000' && /invalid memory alloc request size/.test(error.message)) return 'large';
  return states[code] ?? states[code.slice(0, 2)] ?? 'other';
}
