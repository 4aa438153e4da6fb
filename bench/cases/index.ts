/** All cases, in the order in which they run. */
import { backlog } from './backlog.ts';
import { broadcastCases } from './broadcast.ts';
import type { Case } from './case.ts';
import { crowd } from './crowd.ts';
import { memory } from './memory.ts';
import { oneWayCases } from './one-way.ts';
import { pingPongCases } from './ping-pong.ts';
import { requestCases } from './requests.ts';
import { start } from './start.ts';
import { wakeUp } from './wake-up.ts';

export const cases: readonly Case[] = [
  ...oneWayCases,
  ...pingPongCases,
  ...requestCases,
  start,
  wakeUp,
  ...broadcastCases,
  backlog,
  memory,
  crowd,
];

export function caseNamed(name: string): Case {
  const found = cases.find((each) => each.name === name);
  if (found === undefined) throw new Error(`there is no case ${name}`);
  return found;
}
