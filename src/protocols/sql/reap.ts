/**
 * Reaping: freeing the name of a client that died, or missed its deadline, and dropping what waited for it.
 *
 * The row is judged without a lock and looked at again in the transaction that frees it, so that a successor is never
 * harmed and of several reapers one does it. The row itself stays: what the client sent to others refers to it. A dead
 * client that read with acknowledgement is left alone: its messages wait for its successor.
 */
import type { Awaitable, Reaped } from '../../protocol/protocol.ts';
import { andThen } from './awaitable.ts';
import type { Backend } from './contract.ts';
import type { Work } from './query.ts';
import { isDead, isSameLife, livenessCache, peerRow, type PeerRow } from './rows.ts';

/** True when a dead client's messages wait for who continues it. */
export function isKept(peer: PeerRow): boolean {
  return peer.acknowledge && peer.identity !== undefined;
}

/** Frees a name inside of a transaction. The row was read in it. */
export function* drop({ statements, wakeup }: Backend, peer: PeerRow): Work<Reaped> {
  const { changes } = yield { statement: statements.removeAll, values: [peer.name] };
  const reaped = { name: peer.name, pid: peer.identity?.pid, lost: changes };
  yield { statement: statements.dropPeer, values: [peer.name] };
  yield { statement: statements.recordReaped, values: [reaped.name, reaped.pid ?? null, reaped.lost] };
  yield { statement: statements.trimReaped, values: [] };
  wakeup.leave(peer.name);
  return reaped;
}

function* dropIfSame(backend: Backend, peer: PeerRow): Work<Reaped | undefined> {
  const { rows } = yield { statement: backend.statements.peerToChange, values: [peer.name] };
  const now = rows[0] === undefined ? undefined : peerRow(rows[0]);
  if (!isSameLife(now, peer)) return undefined;
  if (backend.tenure !== undefined && !(yield* backend.tenure.revoke(peer))) return undefined;
  return yield* drop(backend, peer);
}

/** Frees the name of a client that was judged dead; undefined where somebody else did, or a successor has come. */
export function reapOne(backend: Backend, peer: PeerRow): Awaitable<Reaped | undefined> {
  if (isKept(peer)) return undefined;
  const dropped = backend.session.write('reap a dead client', () => dropIfSame(backend, peer));
  return andThen(dropped, (reaped) => {
    if (reaped !== undefined) backend.wakeup.ringPeers();
    return reaped;
  });
}

/** Frees the names of all who are dead or past their deadline. */
export async function reapAll(backend: Backend): Promise<Reaped[]> {
  const { rows } = await backend.session.one('look for dead clients', {
    statement: backend.statements.peers,
    values: [],
  });
  const isAlive = livenessCache((identity, silent) => backend.isAlive(identity, silent));
  const all: Reaped[] = [];
  for (const row of rows) {
    const peer = peerRow(row);
    if (peer === undefined || !isDead(peer, isAlive)) continue;
    const reaped = await reapOne(backend, peer);
    if (reaped !== undefined) all.push(reaped);
  }
  return all;
}
