/** The areas of the suite, each in a file of its own, in the order in which they run. */
import { acknowledgeTests } from './operations/acknowledge.ts';
import { badInputTests } from './operations/bad-input.ts';
import { broadcastTests } from './operations/broadcast.ts';
import { capabilityTests } from './operations/capabilities.ts';
import { connectTests } from './operations/connect.ts';
import { disconnectTests } from './operations/disconnect.ts';
import { factoryTests } from './operations/factory.ts';
import { iterateTests } from './operations/iterate.ts';
import { lifecycleTests } from './operations/lifecycle-states.ts';
import { limitsTests } from './operations/limits.ts';
import { livenessTests } from './operations/liveness.ts';
import { namesTests } from './operations/names.ts';
import { orderTests } from './operations/order.ts';
import { peersTests } from './operations/peers.ts';
import { receiveTests } from './operations/receive.ts';
import { requeueTests } from './operations/requeue.ts';
import { sendTests } from './operations/send.ts';
import { serviceTests } from './operations/services.ts';
import { shutdownTests } from './operations/shutdown.ts';
import { spawnTests } from './operations/spawn.ts';
import { statsAndSanityTests } from './operations/stats-and-sanity.ts';
import { suspendTests } from './operations/suspend.ts';
import { tryMessageTests } from './operations/try-message.ts';
import type { Suite } from './suite.ts';

/** The areas and what registers their tests. `capabilities` is last: it tells what the others had to leave out. */
export const areas = {
  factory: factoryTests,
  spawn: spawnTests,
  connect: connectTests,
  send: sendTests,
  tryMessage: tryMessageTests,
  broadcast: broadcastTests,
  receive: receiveTests,
  iterate: iterateTests,
  acknowledge: acknowledgeTests,
  requeue: requeueTests,
  suspend: suspendTests,
  disconnect: disconnectTests,
  peers: peersTests,
  liveness: livenessTests,
  order: orderTests,
  statsAndSanity: statsAndSanityTests,
  shutdown: shutdownTests,
  limits: limitsTests,
  names: namesTests,
  badInput: badInputTests,
  lifecycleStates: lifecycleTests,
  services: serviceTests,
  capabilities: capabilityTests,
} as const satisfies Readonly<Record<string, (suite: Suite) => void>>;

/** Name of an area. */
export type Area = keyof typeof areas;
