/** The sanity check: do the messages sent and the messages read add up, and which are missing? */
import { IpcError } from '../errors.ts';
import type { Reaped, Store, UnreadMessage } from '../protocol/protocol.ts';

/** Messages from one client to another that were sent and not read, or (negative) read and not counted as sent. */
export interface Mismatch {
  readonly from: string;
  readonly to: string;
  readonly count: number;
}

/** What does not add up; all empty when everything does. */
export interface SanityDelta {
  readonly mismatches: readonly Mismatch[];
  /** Messages that wait unread in the store, the first hundred for each client. */
  readonly unread: readonly UnreadMessage[];
  /** Clients that died without writing their counts; what they read and sent is not known. */
  readonly died: readonly Reaped[];
}

/** Unread messages named for each client. */
const named = 100;

/** Compares what all clients wrote. Meaningful once they have disconnected; `ignore` names the bus's own client. */
export async function sanityDelta(store: Store, ignore: string | undefined): Promise<SanityDelta> {
  const sums = new Map<string, Map<string, number>>();
  const add = (from: string, to: string, by: number): void => {
    if (from === ignore || to === ignore) return;
    const row = sums.get(from) ?? new Map<string, number>();
    row.set(to, (row.get(to) ?? 0) + by);
    sums.set(from, row);
  };
  for (const [client, { sent, read }] of await store.stats()) {
    for (const [peer, number] of sent) add(client, peer, number);
    for (const [peer, number] of read) add(peer, client, -number);
  }
  const mismatches: Mismatch[] = [];
  for (const [from, row] of sums) for (const [to, count] of row) if (count !== 0) mismatches.push({ from, to, count });
  mismatches.sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : a.to < b.to ? -1 : 1));
  const unread: UnreadMessage[] = [];
  for (const { name } of await store.peers()) {
    if (name === ignore) continue;
    for (const message of await store.unread(name, named)) if (message.from !== ignore) unread.push(message);
  }
  const reaped = await store.reaped();
  const involved = new Set(mismatches.flatMap(({ from, to }) => [from, to]));
  return { mismatches, unread, died: reaped.filter(({ name }) => involved.has(name)) };
}

/** One line for each mismatch: `1 con1 -> con2`. */
export function describeDelta({ mismatches, unread, died }: SanityDelta): string {
  const lines = mismatches.map(({ from, to, count }) => `${count} ${from} -> ${to}`);
  for (const { id, from, to } of unread) lines.push(`unread: ${id} ${from} -> ${to}`);
  for (const { name, pid } of died)
    lines.push(`died without writing its counts: ${name}${pid === undefined ? '' : ` (pid ${pid})`}`);
  return lines.join('\n');
}

/** Throws `IPCM_SANITY_MISMATCH` when something does not add up; `cause` is what clients said when they left. */
export function assertSane(delta: SanityDelta, route: string, cause?: unknown): void {
  if (delta.mismatches.length === 0 && delta.unread.length === 0) return;
  throw new IpcError(
    'IPCM_SANITY_MISMATCH',
    'messages sent and read do not add up (positive: sent and not read; negative: read and not counted as sent):\n' +
      describeDelta(delta),
    { route, details: delta, cause },
  );
}
