import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Client } from '../../src/client/client.ts';
import type { IpcError } from '../../src/errors.ts';
import { ownIdentity } from '../../src/liveness/identity.ts';
import type { PeerEntry } from '../../src/protocol/protocol.ts';
import { bootTicks } from '../../src/service/boot-clock.ts';
import { PeerWatch, type WatchedRequest } from '../../src/service/peer-watch.ts';
import { until } from '../../src/testing/until.ts';

type Looks = readonly (Partial<PeerEntry> | undefined | Error)[];

/** A request that is watched while its peer is seen as `looks` say, the last of them from then on; resolves to its fate. */
async function fate(looks: Looks, { suspend = false, sent = bootTicks(), answeredIn = 0 } = {}) {
  let looked = 0;
  let caughtUp = 0;
  let failed: IpcError | undefined;
  const open = new Set<WatchedRequest>([{ id: 'i', peer: 'p', sent }]);
  // What a watch needs of a client, and no more.
  const client = {
    id: 'c',
    protocol: { capabilities: { wakeUp: 'inotify', suspend } },
    watchPeers: () => () => undefined,
    peer: async (name: string) => {
      const look = looks[Math.min(looked++, looks.length - 1)];
      if (look instanceof Error) throw look;
      return look === undefined
        ? undefined
        : { name, state: 'active', identity: undefined, expiresAt: undefined, ...look };
    },
  } as unknown as Client;
  const watch = new PeerWatch({
    client,
    open: () => open,
    catchUp: async () => {
      if (++caughtUp === answeredIn) open.clear();
    },
    fail: (request, error) => {
      if (open.delete(request)) failed = error;
    },
  });
  watch.start();
  await until('it is settled, or has been looked at often enough', () => open.size === 0 || looked > looks.length + 1);
  watch.close();
  return failed?.code;
}

const own = { identity: ownIdentity() };
const other = { identity: { ...ownIdentity(), pid: 1, start: '1' } };
const younger = { identity: { ...ownIdentity(), start: String(Math.round(bootTicks()) + 1000) } };
const suspended = { state: 'suspended' as const };
const passed = Date.now() / 1000 - 1;

describe('a request to a peer', () => {
  it('waits while its holder lives, or is suspended', async () => {
    assert.equal(await fate([own]), undefined);
    assert.equal(await fate([suspended], { suspend: true }), undefined);
    assert.equal(await fate([{ ...own, state: 'leaving' }]), undefined);
    assert.equal(await fate([{}]), undefined, 'of whom nothing is known');
  });

  it('is lost with its holder', async () => {
    assert.equal(await fate([own, undefined]), 'IPCM_PEER_GONE');
    assert.equal(await fate([own, { ...own, state: 'dead' }]), 'IPCM_PEER_GONE');
    assert.equal(await fate([undefined]), 'IPCM_PEER_GONE');
  });

  it('is lost when another process holds the name', async () => {
    assert.equal(await fate([own, other]), 'IPCM_PEER_GONE');
    assert.equal(await fate([younger]), 'IPCM_PEER_GONE');
    assert.equal(await fate([{ identity: { ...younger.identity, boot: 'another boot' } }]), undefined);
    assert.equal(await fate([younger], { suspend: true }), undefined, 'one that came back finds the request');
  });

  it('is lost when a suspended peer misses its deadline, and says so', async () => {
    const deadline = { ...suspended, expiresAt: passed };
    assert.equal(await fate([deadline, undefined], { suspend: true }), 'IPCM_PEER_EXPIRED');
    assert.equal(await fate([suspended, undefined], { suspend: true }), 'IPCM_PEER_GONE');
  });

  it('is answered, if the answer had arrived before its sender went', async () => {
    for (const answeredIn of [1, 2]) assert.equal(await fate([own, undefined], { answeredIn }), undefined);
  });

  it('is lost when nobody can be asked any more', async () => {
    assert.equal(await fate([own, new Error('no store')]), 'IPCM_PEER_GONE');
  });
});
