/** Each operation in each state of a client. */
import assert from 'node:assert/strict';
import type { Client } from '../../client/client.ts';
import { Message } from '../../message/message.ts';
import { rejectsWith } from '../assertions.ts';
import type { Suite } from '../suite.ts';

type Operation = (client: Client) => unknown;

async function readOne(client: Client): Promise<void> {
  for await (const _ of client.messages({ timeout: 1 })) return;
}

/** All that needs a connection; `other` is a peer that is there. */
const operations: Readonly<Record<string, Operation>> = {
  sendMessage: (client) => client.sendMessage('other', 'x'),
  trySendMessage: async (client) => client.trySendMessage('other', 'x'),
  tryMessage: async (client) => {
    const outcome = await client.tryMessage('other', 'x');
    if (!outcome.sent) throw outcome.error;
  },
  buildMessage: async (client) => client.buildMessage('other', 'x'),
  broadcast: (client) => client.broadcast('x'),
  getMessages: (client) => client.getMessages(),
  'getMessages with a timeout': (client) => client.getMessages({ timeout: 1 }),
  messages: readOne,
  onMessage: (client) => client.onMessage(() => undefined, { timeout: 1 }),
  haveReadyMessages: (client) => client.haveReadyMessages(),
  havePendingMessages: (client) => client.havePendingMessages(),
  requeueMessage: (client) => client.requeueMessage(new Message({ from: 'other', to: client.id, content: 'x' })),
  peers: (client) => client.peers(),
  peerExists: (client) => client.peerExists('other'),
  peerActive: (client) => client.peerActive('other'),
  peerPid: (client) => client.peerPid('other'),
  waitForPeers: (client) => client.waitForPeers('other', { timeout: 1000 }),
  waitForPeersGone: (client) => client.waitForPeersGone('nobody', { timeout: 1000 }),
  reap: (client) => client.reap(),
  writeStats: (client) => client.writeStats(),
  readStats: (client) => client.readStats(),
  allStats: (client) => client.allStats(),
};

/** What depends on a capability or an option; once the client has left, the state is what is complained about. */
const conditional: Readonly<Record<string, Operation>> = {
  acknowledge: (client) => client.acknowledge(),
  suspend: (client) => client.suspend(),
};

/** Harmless in any state. */
async function harmless(client: Client): Promise<void> {
  assert.equal(client.id, 'a');
  assert.notEqual(client.route, '');
  assert.ok(client.stats.sent instanceof Map);
  assert.equal(client.pendingSends, 0);
  await client.drain({ timeout: 1000 });
}

/** A state, and how to have work done in it. */
type State = readonly [
  name: 'leaving' | 'disconnected' | 'suspended',
  during: (client: Client, work: () => Promise<void>) => Promise<void>,
];

const left: readonly State[] = [
  [
    'leaving',
    async (client, work) => {
      await client.disconnect(async () => work());
    },
  ],
  [
    'disconnected',
    async (client, work) => {
      await client.disconnect(() => undefined);
      await work();
    },
  ],
];

const suspended: State = [
  'suspended',
  async (client, work) => {
    await client.suspend();
    await work();
    await client.disconnect();
  },
];

/** The table of operations and states. */
export function lifecycleTests(suite: Suite): void {
  const canSuspend = suite.subject.capabilities.suspend;

  suite.test('connected: every operation works', async (scene) => {
    const bus = await scene.bus();
    const [a] = await scene.clients(bus, 'a', 'other');
    for (const [name, operation] of Object.entries(operations)) {
      assert.equal(a.state, 'connected', `before ${name}`);
      await operation(a);
    }
    await harmless(a);
  });

  for (const [state, during] of canSuspend ? [...left, suspended] : left) {
    const table = { ...operations, ...conditional };
    suite.test(`${state}: every operation is refused with IPCM_NOT_CONNECTED that names it`, async (scene) => {
      const bus = await scene.bus();
      const [a, other] = await scene.clients(bus, 'a', 'other');
      await other.sendMessage('a', 'waits unread');
      let worked = false;
      await during(a, async () => {
        assert.equal(a.state, state);
        for (const [name, operation] of Object.entries(table)) {
          const error = await rejectsWith(
            Promise.resolve().then(() => operation(a)),
            'IPCM_NOT_CONNECTED',
          );
          assert.match(error.message, /"a"/, name);
          assert.match(error.message, new RegExp(state), name);
        }
        await harmless(a);
        worked = true;
      });
      assert.ok(worked);
      assert.deepEqual(await other.getMessages(), [], 'and none of it had an effect');
    });
  }
}
