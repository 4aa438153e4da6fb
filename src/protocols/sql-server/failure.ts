/** The errors of the bus for those of a server. */
import { IpcError, isIpcError, systemCode, type ErrorCode } from '../../errors.ts';
import { DuplicateId, MessageRefused } from '../sql/query.ts';
import type { Database, Verdict } from './database.ts';

/** Which store an error is about. */
export interface Place {
  readonly route: string;
  /** Bare name of the protocol. */
  readonly protocol: string;
}

const unreachable = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ENOENT',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'EAI_AGAIN',
  // Names that the network does not tell for a moment; a unix socket at which many wait to be let in.
  'ENOTFOUND',
  'EAGAIN',
]);

/** What Node says of a certificate: https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const untrusting =
  /^(?:ERR_TLS_CERT_ALTNAME_INVALID|CERT_\w+|(?:SELF_SIGNED|DEPTH_ZERO_SELF_SIGNED)_CERT\w*|UNABLE_TO_(?:GET_ISSUER|VERIFY)_\w+)$/;

/** True when the reason, or what it came of, is that a certificate is not believed. */
function isUntrusted(error: unknown): boolean {
  for (let reason = error; reason instanceof Error; reason = reason.cause) {
    if (untrusting.test(systemCode(reason) ?? '')) return true;
  }
  return false;
}

/** What an error means: the system's for all databases alike, the rest as the database says. */
export function judge(database: Database, error: unknown): Verdict {
  if (isIpcError(error) || error instanceof MessageRefused) return 'other';
  const code = systemCode(error);
  if (code !== undefined && unreachable.has(code)) return 'lost';
  if (isUntrusted(error)) return 'untrusted';
  return database.judge(error);
}

const codes: Readonly<Record<Exclude<Verdict, 'duplicate' | 'other' | 'orphan'>, readonly [ErrorCode, string]>> = {
  lost: ['IPCM_STORE_FAILED', 'the server cannot be reached; start it, or look whether the route names it'],
  busy: [
    'IPCM_STORE_FAILED',
    'others hold the locks; let them end their transactions, or raise protocolOptions.lockTimeout',
  ],
  missing: ['IPCM_STORE_MISSING', 'there is no store there: it was never made, or has been removed'],
  full: ['IPCM_STORE_FULL', 'the server has no space left; free some, or use another route'],
  large: ['IPCM_MESSAGE_TOO_LARGE', 'it is more than the server takes; raise its limit, or send it in parts'],
  untrusted: [
    'IPCM_STORE_FAILED',
    'the certificate of the server is not believed; have the route name its CA, and the host that it is made for',
  ],
  denied: ['IPCM_STORE_FAILED', 'the server refuses the user; give user and pass, or grant what is missing'],
};

/** The error for one of a driver's. `doing` completes "cannot …". What is none of a database's stays as it is. */
export function explain(error: unknown, verdict: Verdict, doing: string, place: Place, after?: number): unknown {
  if (isIpcError(error) || error instanceof MessageRefused) return error;
  if (!(error instanceof Error)) return error;
  if (verdict === 'duplicate') return new DuplicateId(error.message, { cause: error });
  const facts = { cause: error, ...place };
  if (verdict === 'other' || verdict === 'orphan')
    return new IpcError('IPCM_STORE_FAILED', `cannot ${doing} in ${place.route}: ${error.message}`, facts);
  const [code, why] = codes[verdict];
  const waited = after === undefined ? '' : `, tried for ${after} ms`;
  return new IpcError(code, `cannot ${doing} in ${place.route}: ${why} (${error.message}${waited})`, facts);
}
