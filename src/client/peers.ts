/** Who else is on the bus, and waiting for them to come and go. */
import { IpcError, quote } from '../errors.ts';
import type { PeerEntry, Store } from '../protocol/protocol.ts';
import type { WaitOptions } from './arrival.ts';
import { checkName } from './options.ts';
import { waitFor } from './wait-for.ts';

/** The names of all clients but `self`, suspended ones included, dead ones not; sorted. */
export async function peerNames(store: Store, self: string): Promise<string[]> {
  const entries = await store.peers();
  return entries
    .filter(({ name, state }) => state !== 'dead' && name !== self)
    .map(({ name }) => name)
    .sort();
}

/** A peer that is there, active or suspended. */
export async function findPeer(store: Store, call: string, name: string): Promise<PeerEntry | undefined> {
  checkName(call, name);
  const entry = await store.peer(name);
  return entry?.state === 'dead' ? undefined : entry;
}

/** Waits until all of `names` are active, or none of them is. Resolves to those for whom it did not come true in time. */
export async function waitForPeers(
  store: Store,
  find: (name: string) => Promise<PeerEntry | undefined>,
  names: string | readonly string[],
  active: boolean,
  options: WaitOptions,
): Promise<readonly string[]> {
  let open = typeof names === 'string' ? [names] : [...names];
  const holds = async (): Promise<boolean> => {
    const entries = await Promise.all(open.map(find));
    open = open.filter((_, index) => (entries[index]?.state === 'active') !== active);
    return open.length === 0;
  };
  await waitFor(holds, (wake) => store.watchPeers(wake), options);
  return open;
}

/** The error for peers that did not come, or go, in time. */
export function peersTimeout(
  client: string,
  call: string,
  open: readonly string[],
  timeout: number | undefined,
): IpcError {
  const what = call === 'waitForPeers' ? 'did not come' : 'did not go';
  return new IpcError('IPCM_TIMEOUT', `${call}: ${open.map(quote).join(', ')} ${what} in ${timeout} ms`, {
    client,
    details: { peers: open },
  });
}
