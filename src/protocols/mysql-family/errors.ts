/** What the errors of the servers and of the library mean. */
import type { Verdict } from '../sql-server/database.ts';
import { driverError } from './driver.ts';

/** Numbers of errors that are asked for by name. */
export const errors = { nullValue: 1048, duplicate: 1062, noSuchThread: 1094, othersThread: 1095 } as const;

/** By number: https://mariadb.com/kb/en/mariadb-error-codes/ and the Server Error Message Reference of MySQL. */
const verdicts: Readonly<Record<Exclude<Verdict, 'other' | 'duplicate' | 'untrusted'>, readonly number[]>> = {
  lost: [
    1040, 1053, 1077, 1079, 1080, 1152, 1154, 1155, 1156, 1157, 1158, 1159, 1160, 1161, 1203, 1226, 1927, 2002, 2003,
    2006, 2013, 3169, 4031, 45001, 45009, 45012, 45013, 45018, 45019, 45026, 45034,
  ],
  // Also a statement that somebody has ended, and tables that somebody changes while we do.
  busy: [1020, 1050, 1060, 1061, 1091, 1205, 1213, 1317, 1412, 1615, 1637, 3024, 3058, 3101, 3572],
  orphan: [1216, 1452],
  missing: [1049, 1051, 1146],
  full: [1021, 1114, 1041, 1037, 1038],
  large: [1105, 1153, 1301, 1406, 3170],
  denied: [1044, 1045, 1130, 1142, 1143, 1227, 1251, 1370, 1698, 1820, 3118, 3159, 4151, 45025],
};

const byNumber = new Map(
  Object.entries(verdicts).flatMap(([verdict, numbers]) =>
    numbers.map((number) => [number, verdict as Verdict] as const),
  ),
);

/** More than the server takes: found before it was sent, since a server answers by ending the connection. */
export class PacketTooLarge extends Error {
  override readonly name = 'PacketTooLarge';

  constructor(bytes: number, limit: number) {
    super(`${bytes} bytes, and the server's max_allowed_packet is ${limit}`);
  }
}

/** An earlier connection that the server does not end, so that nobody knows what it may still do. */
export class StillThere extends Error {
  override readonly name = 'StillThere';

  constructor(seconds: number) {
    super(`an earlier connection did not end within ${seconds} s`);
  }
}

/** Errors after which the server has undone the whole transaction, and not only the statement. */
const undoing = [1020, 1206, 1213];

/** True when an error has undone the transaction; `timeouts` tells whether a lock that was not granted in time does. */
export function undoes(error: unknown, timeouts: boolean): boolean {
  const errno = errnoOf(error);
  return errno === undefined || undoing.includes(errno) || (timeouts && errno === 1205);
}

/** The number of an error of a server or of the library. */
export function errnoOf(error: unknown): number | undefined {
  return driverError(error)?.errno;
}

/** What an error means. */
export function judge(error: unknown): Verdict {
  if (error instanceof PacketTooLarge) return 'large';
  if (error instanceof StillThere) return 'lost';
  const known = driverError(error);
  if (known === undefined) return 'other';
  const { errno, fatal, sql, message } = known;
  if (errno === errors.duplicate) {
    // Of peers and leases: somebody else was first, and is seen by whoever tries again.
    return /^\W*INSERT INTO ipcm_messages\b/i.test(sql ?? '') ? 'duplicate' : 'busy';
  }
  const verdict = byNumber.get(errno);
  if (verdict !== undefined) return verdict;
  // Error on write, with the operating system's number behind it.
  if (/\b(?:errno|error): 28\b|no space left/i.test(message)) return 'full';
  return fatal ? 'lost' : 'other';
}
