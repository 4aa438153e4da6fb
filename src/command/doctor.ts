/** `ipcm doctor`: what works on this machine, and what to do about the rest. */
import { release } from 'node:os';
import type { Command } from 'commander';
import {
  builtinSerializers,
  ipcmDefaultProtocolList,
  ipcmDefaultSerializer,
  protocolNames,
  resolveProtocol,
  type Capabilities,
} from '../index.ts';
import { exitCodes } from './exit.ts';
import type { GlobalOptions } from './options.ts';
import { print, printJson, printTable, type Cell } from './output.ts';
import { version } from './version.ts';

interface Finding {
  readonly kind: 'protocol' | 'serializer';
  readonly name: string;
  /** Why not, and what to do; undefined where it works. */
  readonly reason: string | undefined;
  readonly isDefault: boolean;
  readonly capabilities?: Capabilities;
}

const examples = `
The exit code is 0 as long as one protocol that reaches other processes, and one serializer, can be used.

Examples:
  $ ipcm doctor
  $ ipcm doctor --protocol +./my-protocol.js
  $ ipcm doctor --json | jq 'select(.viable == false)'`;

/** Adds the command. */
export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .summary('check what works on this machine')
    .description('Tells for each protocol and serializer whether it can be used here; if not, why and what to do.')
    .addHelpText('after', examples)
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      process.exitCode = await doctor(options);
    });
}

async function doctor(options: GlobalOptions): Promise<number> {
  const findings = [...(await protocols(options.protocol)), ...serializers()];
  const versions = {
    'ipc-manager': version,
    node: process.versions.node,
    v8: process.versions.v8,
    zlib: process.versions['zlib'],
    zstd: process.versions['zstd'],
    sqlite: process.versions['sqlite'],
    system: `${process.platform} ${process.arch} ${release()}`,
  };
  if (options.json === true) {
    await printJson({ kind: 'versions', ...versions });
    await printJson(
      ...findings.map(({ reason, ...finding }) => ({ ...finding, viable: reason === undefined, reason })),
    );
  } else {
    await print(
      `${Object.entries(versions)
        .map(([name, value]) => `${name} ${value ?? '-'}`)
        .join(', ')}\n\n`,
    );
    await printTable(['KIND', 'NAME', 'VIABLE', ''], findings.map(row));
  }
  const works = (kind: Finding['kind']): boolean =>
    findings.some(
      (finding) =>
        finding.kind === kind && finding.reason === undefined && finding.capabilities?.crossProcess !== false,
    );
  return works('protocol') && works('serializer') ? exitCodes.ok : exitCodes.failure;
}

async function protocols(extra: string | undefined): Promise<Finding[]> {
  const findings: Finding[] = [];
  const names = new Set([...protocolNames, ...(extra === undefined ? [] : [extra])]);
  let preferred: string | undefined;
  for (const candidate of ipcmDefaultProtocolList()) {
    const protocol = await resolveProtocol(candidate);
    if ((await protocol.unviable()) === undefined) preferred ??= protocol.name;
  }
  for (const name of names) {
    const protocol = await resolveProtocol(name);
    const { capabilities } = protocol;
    const finding = {
      kind: 'protocol',
      name: protocol.name,
      isDefault: protocol.name === preferred,
      capabilities,
    } as const;
    findings.push({ ...finding, reason: await protocol.unviable() });
  }
  return findings;
}

function serializers(): Finding[] {
  const preferred = ipcmDefaultSerializer();
  return builtinSerializers.map((module) => ({
    kind: 'serializer',
    name: module.name,
    isDefault: module.name === preferred,
    reason: module.unviable({}),
  }));
}

function row({ kind, name, reason, isDefault, capabilities }: Finding): Cell[] {
  const viable =
    reason === undefined ? ({ text: 'yes', style: 'green' } as const) : ({ text: 'no', style: 'red' } as const);
  const note = [isDefault ? 'default' : undefined, capabilities && `needs ${capabilities.needs}`]
    .filter(Boolean)
    .join('; ');
  return [kind, name, viable, reason ?? note];
}
