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
    .filter((entry) => isPresent(entry) && entry.name !== self)
    .map(({ name }) => name)
    .sort();
}

/** True for a peer that can be sent to. */
export function isPresent(entry: PeerEntry | undefined): boolean {
  return entry?.state === 'active' || entry?.state === 'suspended';
}

/** True for a peer whose process still takes part, be it in order to leave. */
export function isHere(entry: PeerEntry | undefined): boolean {
  return entry?.state === 'active' || entry?.state === 'leaving';
}

/** What the store knows of a name. Throws `IPCM_INVALID_NAME`. */
export async function findPeer(store: Store, call: string, name: string): Promise<PeerEntry | undefined> {
  checkName(call, name);
  return store.peer(name);
}

/** Waits until all of `names` are active, or have left completely. Resolves to those for whom it did not come true in time. */
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
    const settled = (entry: PeerEntry | undefined): boolean => (active ? entry?.state === 'active' : !isHere(entry));
    open = open.filter((_, index) => !settled(entries[index]));
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
