/** Taking a name: a free one, a suspended one, a dead one's. One transaction, so that of any number of processes one wins. */
import { IpcError, quote } from '../../errors.ts';
import { monotonic } from '../../liveness/monotonic.ts';
import type { ConnectRequest, Reaped } from '../../protocol/protocol.ts';
import type { Backend } from './contract.ts';
import type { Work } from './query.ts';
import { drop } from './reap.ts';
import { hasExpired, isDead, peerRow, processColumn, type PeerRow } from './rows.ts';

/** What came of it, to be told after the commit. */
export interface Taken {
  /** A dead predecessor that was removed. */
  readonly reaped: Reaped | undefined;
  /** When this life began, as the row says. */
  readonly active: number;
}

/** Takes the name for the client. Throws `IPCM_NAME_TAKEN`, `IPCM_NO_SUCH_CLIENT`. */
export function* take(backend: Backend, request: ConnectRequest): Work<Taken> {
  const { statements } = backend;
  const { name, mode, identity, acknowledge } = request;
  const { rows } = yield { statement: statements.peerToChange, values: [name] };
  const found = rows[0] === undefined ? undefined : peerRow(rows[0]);
  const judged = found !== undefined && isDead(found, (process, silent) => backend.isAlive(process, silent));
  const dead = judged && (found.identity === undefined || (yield* revoke(backend, found)));
  if (found !== undefined && !dead) refuseHolder(backend, request, found);

  let reaped: Reaped | undefined;
  let since: number | undefined;
  if (mode === 'reconnect') {
    if (found === undefined) throw nobody(backend, request, 'nobody of that name is suspended or died here');
    if (hasExpired(found)) throw nobody(backend, request, 'its suspension has ended, and what was sent to it is gone');
  } else if (dead && found !== undefined && (hasExpired(found) || !acknowledge)) {
    reaped = yield* drop(backend, found);
    since = monotonic();
  } else if (found === undefined) {
    // What somebody sent to a name that nobody holds any more; the statistics are for us to go on with.
    yield { statement: statements.removeAll, values: [name] };
    since = monotonic();
  }
  // Handed out in an earlier life and never acknowledged.
  yield { statement: statements.releaseAll, values: [name] };

  const process = processColumn(request);
  if (backend.tenure !== undefined) yield* backend.tenure.begin(process);
  const active = Date.now() / 1000;
  const row = [identity.pid, active, process, since ?? null];
  if (rows[0] === undefined) yield { statement: statements.newPeer, values: [name, ...row] };
  else yield { statement: statements.takePeer, values: [...row, name] };
  return { reaped, active };
}

function* revoke({ tenure }: Backend, found: PeerRow): Work<boolean> {
  return tenure === undefined || (yield* tenure.revoke(found));
}

function refuseHolder(backend: Backend, request: ConnectRequest, found: PeerRow): void {
  const { protocol, route } = backend;
  const { name, mode } = request;
  const taken = (why: string, pid?: number): IpcError => {
    const facts = { client: name, protocol, route, ...(pid === undefined ? {} : { pid }) };
    return new IpcError('IPCM_NAME_TAKEN', `cannot ${mode} as ${quote(name)}: ${why}`, facts);
  };
  const pid = found.identity?.pid;
  if (pid !== undefined)
    throw taken(`process ${pid} holds the name and lives; disconnect it, or use another name`, pid);
  if (mode === 'reconnect') return;
  const { expiresAt } = found;
  const until = expiresAt === undefined ? '' : `, or wait until ${new Date(expiresAt * 1000).toISOString()}`;
  throw taken(`the client of that name is suspended; reconnect as it${until}, or use another name`);
}

function nobody({ protocol, route }: Backend, { name }: ConnectRequest, why: string): IpcError {
  const text = `cannot reconnect as ${quote(name)}: ${why}; connect instead`;
  return new IpcError('IPCM_NO_SUCH_CLIENT', text, { client: name, protocol, route });
}
