/**
 * Claims: how one of several processes wins the right to clean up after a dead client.
 *
 * Renaming a file that exists has exactly one winner. So whoever wants to clean up first renames the dead client's pid file
 * (or, for a missed deadline, its `.suspend`) into `.ipcm/claim/`, under a name that tells who did it and why, and only
 * then looks whether it is what it took it for. While a claim of a living process exists, nobody takes or reaps the name; a
 * claim whose process died is finished, or undone, by the next who comes by. File: `TAG-RANDOM.ENTRY.PURPOSE`.
 */
import { isAlive } from '../../liveness/alive.ts';
import type { ProcessIdentity } from '../../liveness/identity.ts';
import { randomHex } from '../../message/random.ts';
import { linkOver, list, moveFile, removeFile } from './files.ts';
import { innerPath, parseTag, processTag } from './owner.ts';

/** `reap`: to remove the client. `take`: to continue under its name. `gone`, `sealed`: an entry taken away to be removed. */
export type Purpose = 'reap' | 'take' | 'gone' | 'sealed';

/** Something taken out of the route. */
export interface Claim {
  readonly path: string;
  readonly entry: string;
  readonly purpose: Purpose;
  readonly claimer: ProcessIdentity;
  /** `TAG-RANDOM`: what belongs together shares it. */
  readonly mark: string;
}

function claimPath(route: string, mark: string, entry: string, purpose: Purpose): string {
  return `${innerPath(route, 'claim')}/${mark}.${entry}.${purpose}`;
}

/** Moves `file` out of the route; undefined where somebody else was faster, or nothing is there. */
export function claim(
  route: string,
  file: string,
  entry: string,
  purpose: Purpose,
  claimer: ProcessIdentity,
): Claim | undefined {
  const mark = `${processTag(claimer)}-${randomHex(3)}`;
  const path = claimPath(route, mark, entry, purpose);
  return moveFile(file, path) ? { path, entry, purpose, claimer, mark } : undefined;
}

/** Path beside a claim for what belongs to it. */
export function beside(route: string, held: Claim, purpose: Purpose): string {
  return claimPath(route, held.mark, held.entry, purpose);
}

/** Makes the claim of a dead process ours; undefined where somebody else was faster. */
export function adopt(route: string, dead: Claim, claimer: ProcessIdentity): Claim | undefined {
  const ours = claim(route, dead.path, dead.entry, dead.purpose, claimer);
  if (ours === undefined) return undefined;
  for (const purpose of ['gone', 'sealed'] as const)
    moveFile(beside(route, dead, purpose), beside(route, ours, purpose));
  return ours;
}

/** All claims, of one entry if named. */
export function claims(route: string, entry?: string): Claim[] {
  const folder = innerPath(route, 'claim');
  const found: Claim[] = [];
  for (const file of list(folder)) {
    const [, mark, name, purpose] = /^([^.]+)\.(.+)\.(reap|take|gone|sealed)$/s.exec(file) ?? [];
    if (mark === undefined || name === undefined || (entry !== undefined && name !== entry)) continue;
    const claimer = parseTag(mark.slice(0, mark.lastIndexOf('-')));
    if (claimer !== undefined)
      found.push({ path: `${folder}/${file}`, entry: name, purpose: purpose as Purpose, claimer, mark });
  }
  // What belongs to a claim comes after it, so that it is moved along with it before it is judged alone.
  return found.sort((a, b) => rank(a.purpose) - rank(b.purpose));
}

function rank(purpose: Purpose): number {
  return purpose === 'reap' || purpose === 'take' ? 0 : 1;
}

/** True when the process that made a claim still works on it. */
export function isHeld(held: Claim): boolean {
  return isAlive(held.claimer);
}

const clock = new Int32Array(new SharedArrayBuffer(4));

/**
 * Links `from` to `to` although somebody may be there for a moment: a newcomer who looked before our claim was made, sees
 * it now, and steps back.
 */
export function linkPatiently(from: string, to: string): boolean {
  for (let tries = 0; tries < 20; tries++) {
    if (linkOver(from, to)) return true;
    Atomics.wait(clock, 0, 0, 1);
  }
  return false;
}

/** Undoes a claim on something that was not what we took it for. */
export function putBack(held: Claim, target: string): void {
  linkPatiently(held.path, target);
  removeFile(held.path);
}
