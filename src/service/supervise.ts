/** `ipcmSupervise`: finds or makes the bus, and starts a supervisor with its children on it. */
import { ipcmSpawn } from '../bus.ts';
import type { Client } from '../client/client.ts';
import { ipcmConnect } from '../connect.ts';
import { IpcError } from '../errors.ts';
import type { CodeReference } from '../launch/assignment.ts';
import { callerFile } from '../launch/caller-file.ts';
import { formatInfo, parseInfo } from '../spawn/connection-info.ts';
import type { Spawn } from '../spawn/spawn.ts';
import { OwnAnswers, SharedAnswers } from './answers.ts';
import { checkReach, parentService } from './assign.ts';
import { referenceOf } from './code.ts';
import type { Service } from './definition.ts';
import { takeHandleName } from './handle-name.ts';
import { withAccessTo } from '../spawn/held-access.ts';
import { withAccessOf } from './held-access.ts';
import { SupervisedChild } from './supervised-child.ts';
import { resolveSupervision, type ResolvedSupervision, type SupervisorOptions } from './supervisor-options.ts';
import { Supervisor } from './supervisor.ts';

/**
 * Starts services in processes of their own, in order, and keeps them running. Resolves when all are ready.
 *
 * Outside a service: on the bus of `ipcmInfo`, or on a fresh one that goes with the supervisor. Inside a service: on its bus,
 * and stopped with it.
 *
 * Rejects with what the first child that does not start rejects with (`IPCM_SERVICE_FAILED`, `IPCM_TIMEOUT`), those before it
 * being ended; with `IPCM_INVALID_OPTION`, `IPCM_INVALID_NAME`, `IPCM_NOT_SUPPORTED`, or as `ipcmSpawn` and `ipcmConnect` do.
 */
export async function ipcmSupervise(options: SupervisorOptions): Promise<Supervisor> {
  const supervision = resolveSupervision(options);
  const caller = callerFile(ipcmSupervise);
  const codes = options.children.map(({ service }) => referenceOf('ipcmSupervise', service, caller));
  const parent = options.parent ?? (options.ipcmInfo === undefined ? parentService('ipcmSupervise') : undefined);
  const made = parent === undefined && options.ipcmInfo === undefined;
  const bus = made ? await ipcmSpawn({ sanityCheck: false, ...options.spawn }) : undefined;
  let supervisor: Supervisor;
  try {
    supervisor = await makeSupervisor(options, supervision, codes, parent, bus);
  } catch (error) {
    await bus?.unspawn();
    throw error;
  }
  const stop = async (): Promise<void> => void (await supervisor.stop());
  parent?.addCallback('onCleanup', stop, { first: true });
  supervisor.ended.catch(() => undefined).finally(() => parent?.removeCallback('onCleanup', stop));
  await supervisor.begin(options.handleSignals ?? false);
  return supervisor;
}

async function makeSupervisor(
  options: SupervisorOptions,
  supervision: ResolvedSupervision,
  codes: readonly CodeReference[],
  parent: Service | undefined,
  bus: Spawn | undefined,
): Promise<Supervisor> {
  const { spawn } = options;
  const connect = withAccessTo(options.ipcmInfo ?? bus, options.connect);
  const ipcmInfo = parent?.ipcmInfo ?? formatInfo(parseInfo('ipcmSupervise', options.ipcmInfo ?? bus ?? ''));
  const name = takeHandleName('supervisor');
  const own = (): Promise<Client> => bus?.connect(name, connect) ?? ipcmConnect(name, ipcmInfo, connect);
  const answers =
    parent === undefined ? new OwnAnswers(await own()) : new SharedAnswers(parent.client, parent.requests);
  const childOf = (of: Supervisor, n: number): SupervisedChild[] => {
    const [given, code] = [options.children[n], codes[n]];
    if (given === undefined || code === undefined) return [];
    const spec = {
      ...given,
      options: { ...given.options, spawn, connect: { ...withAccessOf(parent, connect), ...given.options?.connect } },
    };
    return [new SupervisedChild(spec, code, { ipcmInfo, client: answers.client, exited: of.exited.bind(of) })];
  };
  const children = (of: Supervisor): SupervisedChild[] => codes.flatMap((_, n) => childOf(of, n));
  try {
    for (const child of options.children) checkReach('ipcmSupervise', child.name, answers.client);
    const isOver = (): boolean => parent?.state === 'ending' || parent?.state === 'ended';
    return new Supervisor({ supervision, answers, bus, ipcmInfo, isOver, children });
  } catch (error) {
    await answers.close(new IpcError('IPCM_NOT_CONNECTED', 'the supervisor was not started'));
    throw error;
  }
}
