/** How many messages a client sent to and read from each peer. */

/** Counts per peer; maps, since a peer may be called `__proto__`. */
export interface Stats {
  readonly sent: Map<string, number>;
  readonly read: Map<string, number>;
}

/** The wire form: what the `.stats` sidecar and the `stats` column hold, serialized. */
export interface WireStats {
  readonly sent: Record<string, number>;
  readonly read: Record<string, number>;
}

/** Nothing sent, nothing read. */
export function emptyStats(): Stats {
  return { sent: new Map(), read: new Map() };
}

/** Adds `by` to the count of a peer; a count that returns to zero is dropped. */
export function count(counts: Map<string, number>, peer: string, by: number): void {
  const sum = (counts.get(peer) ?? 0) + by;
  if (sum === 0) counts.delete(peer);
  else counts.set(peer, sum);
}

/** The wire form of counts. */
export function statsToWire(stats: Stats): WireStats {
  return { read: Object.fromEntries(stats.read), sent: Object.fromEntries(stats.sent) };
}

function counts(value: unknown): Map<string, number> {
  const map = new Map<string, number>();
  if (typeof value !== 'object' || value === null) return map;
  for (const [peer, number] of Object.entries(value)) {
    const amount = Number(number);
    if (Number.isFinite(amount)) map.set(peer, amount);
  }
  return map;
}

/** The counts of a wire form; whatever is not a count is left out. */
export function statsFromWire(wire: unknown): Stats {
  if (typeof wire !== 'object' || wire === null) return emptyStats();
  const { sent, read } = wire as Partial<WireStats>;
  return { sent: counts(sent), read: counts(read) };
}

/** Adds the counts of one record to another. */
export function addStats(into: Stats, more: Stats): void {
  for (const [peer, number] of more.sent) count(into.sent, peer, number);
  for (const [peer, number] of more.read) count(into.read, peer, number);
}
