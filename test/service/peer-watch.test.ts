import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Client } from '../../src/client/client.ts';
import { IpcError } from '../../src/errors.ts';
import { ownIdentity } from '../../src/liveness/identity.ts';
import { monotonic } from '../../src/liveness/monotonic.ts';
import type { PeerEntry } from '../../src/protocol/protocol.ts';
import { PeerWatch, type WatchedRequest } from '../../src/service/peer-watch.ts';
import { until } from '../../src/testing/until.ts';

/** When the requests were delivered. */
const now = monotonic();

type Looks = readonly (Partial<PeerEntry> | undefined | Error)[];

/** What a watch needs of a client, and no more. */
function fakeClient(
  peer: (name: string) => Promise<PeerEntry | undefined>,
  watchPeers: (wake: () => void) => () => void = () => () => undefined,
  suspend = false,
): Client {
  const protocol = { capabilities: { wakeUp: 'inotify', suspend } };
  return { id: 'c', protocol, peer, watchPeers } as unknown as Client;
}

/** A request that is watched while its peer is seen as `looks` say, the last of them from then on; resolves to its fate. */
async function fate(looks: Looks, { suspend = false, isDelivered = true, answeredIn = 0 } = {}) {
  let looked = 0;
  let caughtUp = 0;
  let failed: IpcError | undefined;
  const delivered = isDelivered ? now : undefined;
  const open = new Set<WatchedRequest>([{ id: 'i', peer: 'p', delivered, seen: undefined }]);
  const peer = async (name: string): Promise<PeerEntry | undefined> => {
    const look = looks[Math.min(looked++, looks.length - 1)];
    if (look instanceof Error) throw look;
    return look && { name, state: 'active', identity: undefined, expiresAt: undefined, ...look };
  };
  const client = fakeClient(peer, undefined, suspend);
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
/** Holders by when their inbox was made. */
const made = (before: number) => ({ ...own, since: now - before });
const [elder, younger] = [made(1000), made(-1)];
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

  it('is lost when its inbox has been made anew', async () => {
    for (const suspend of [false, true]) {
      assert.equal(await fate([elder]), undefined);
      assert.equal(
        await fate([younger], { suspend }),
        'IPCM_PEER_GONE',
        'after it was delivered, before the first look',
      );
      assert.equal(await fate([elder, made(500)], { suspend }), 'IPCM_PEER_GONE', 'and who it is was seen before');
    }
    const elsewhere = { since: now + 1000, identity: { ...ownIdentity(), boot: 'another boot' } };
    assert.equal(await fate([elsewhere]), undefined, 'whose clock is another');
    assert.equal(await fate([{ ...elsewhere, identity: { ...ownIdentity(), namespace: '1' } }]), undefined);
    assert.equal(await fate([elsewhere, { ...elsewhere, since: now + 2000 }]), 'IPCM_PEER_GONE', 'but not the same');
  });

  it('is lost when another process holds the name, unless that can be the same client', async () => {
    assert.equal(await fate([own, other]), 'IPCM_PEER_GONE');
    assert.equal(await fate([own, other], { suspend: true }), undefined, 'it was suspended, and came back');
    assert.equal(await fate([elder, suspended, other], { suspend: true }), undefined);
    assert.equal(await fate([elder, suspended, other, younger], { suspend: true }), 'IPCM_PEER_GONE');
  });

  it('is not lost while it is on its way: whoever takes the name may get it', async () => {
    assert.equal(await fate([elder, younger, other], { isDelivered: false }), undefined);
    assert.equal(await fate([elder, undefined], { isDelivered: false }), 'IPCM_PEER_GONE');
  });

  it('is judged by what was seen since it was sent, and not before', async () => {
    const entries = [elder, made(500)];
    const failed: string[] = [];
    const requests = new Set<WatchedRequest>();
    const send = (id: string, peer: string): void =>
      void requests.add({ id, peer, delivered: monotonic(), seen: undefined });
    let looks = 0;
    const watch = new PeerWatch({
      client: fakeClient(async (name) => {
        looks++;
        return { name, state: 'active', expiresAt: undefined, ...(name === 'other' ? elder : entries[0]) } as PeerEntry;
      }),
      open: () => requests,
      catchUp: async () => undefined,
      fail: ({ id }) => failed.push(id),
    });
    send('to another', 'other');
    send('first', 'p');
    watch.start();
    await until('both have been seen', () => [...requests].every(({ seen }) => seen !== undefined));
    // Answered; the service is started again, and asked again.
    for (const request of requests) if (request.id === 'first') requests.delete(request);
    entries.shift();
    send('second', 'p');
    const before = looks;
    await until('it has been looked at', () => looks > before + 4);
    watch.close();
    assert.deepEqual(failed, []);
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
    for (const code of ['IPCM_STORE_MISSING', 'IPCM_NOT_CONNECTED'] as const) {
      assert.equal(await fate([own, new IpcError(code, 'no store')]), 'IPCM_PEER_GONE');
    }
  });

  it('waits when a look fails, and is lost when a later one finds it so', async () => {
    const failure = new IpcError('IPCM_STORE_FAILED', 'too many open files');
    assert.equal(await fate([own, failure, own]), undefined);
    assert.equal(await fate([own, failure, failure, undefined]), 'IPCM_PEER_GONE');
  });

  it('is given up although hints come all the time, and although there can be none', async () => {
    for (const cannotWatch of [false, true]) {
      let hint: (() => void) | undefined;
      const open = new Set<WatchedRequest>([{ id: 'i', peer: 'p', delivered: now, seen: undefined }]);
      const watch = new PeerWatch({
        client: fakeClient(
          async () => {
            setImmediate(() => hint?.());
            await new Promise(setImmediate);
            return undefined;
          },
          (wake) => {
            if (cannotWatch) throw new IpcError('IPCM_STORE_FAILED', 'no more watches');
            hint = wake;
            return () => (hint = undefined);
          },
        ),
        open: () => open,
        catchUp: async () => undefined,
        fail: (request) => open.delete(request),
      });
      hint = () => watch.look();
      watch.start();
      await until('it is given up', () => open.size === 0);
      watch.close();
    }
  });
});
