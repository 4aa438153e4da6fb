/** MariaDB and MySQL: one family, of which each protocol is a profile. */
import type { Capabilities } from '../../protocol/protocol.ts';
import type { Database } from '../sql-server/database.ts';
import type { DriverWords } from '../sql-server/data-source.ts';
import type { Recipe } from '../sql-server/private/recipe.ts';
import { defaultPass, defaultUser } from './credentials.ts';
import { socketOf } from './default-socket.ts';
import { driverMissing } from './driver.ts';
import { judge } from './errors.ts';
import { handleOf } from './handle.ts';
import { FamilyLink } from './link.ts';
import { makeSchema, type SchemaProfile } from './schema.ts';
import { securitySettings } from './security.ts';
import { send } from './send.ts';
import { own, statements } from './statements.ts';
import { openWakeup } from './wakeup.ts';

/** What the protocols of the family differ in. */
export interface Profile extends SchemaProfile {
  /** DBI drivers that a route may name; the first is what we write. */
  readonly drivers: readonly ('MariaDB' | 'mysql')[];
  /** URL schemes. */
  readonly schemes: readonly string[];
  readonly example: string;
  /** Groups of the option file beside `[client]`. */
  readonly groups: readonly string[];
  /** What the protocol needs, for people. */
  readonly needs: string;
  readonly recipe: Recipe;
}

/** The keys of the DBI drivers DBD::MariaDB and DBD::mysql. */
const driverWords: Readonly<Record<'MariaDB' | 'mysql', DriverWords>> = {
  MariaDB: wordsOf('mariadb'),
  mysql: wordsOf('mysql'),
};

function wordsOf(prefix: string): DriverWords {
  return {
    database: ['database', 'dbname', 'db'],
    host: ['host', 'hostname'],
    port: ['port'],
    socket: [`${prefix}_socket`],
    kept: securitySettings(prefix),
  };
}

const capabilities: Omit<Capabilities, 'needs'> = {
  crossProcess: true,
  suspend: true,
  acknowledge: true,
  survivesReader: true,
  capacity: Infinity,
  largestMessage: Infinity,
  longestName: 512,
  unit: 'content',
  wakeUp: 'poll',
  ordering: 'stamp',
};

/** The kind of server that a profile describes. */
export function makeFamily(profile: Profile): Database {
  const { protocol, drivers, schemes, example, needs, recipe } = profile;
  const groups = ['client', ...profile.groups];
  const [driver = 'MariaDB'] = drivers;
  return {
    name: protocol,
    words: { drivers: Object.fromEntries(drivers.map((name) => [name, driverWords[name]])), schemes, example },
    capabilities: { ...capabilities, needs },
    driverMissing,
    connect: (target, name) => FamilyLink.open(target, name, socketOf(target, groups)),
    handle: (value) => handleOf(value, driver),
    defaultUser: () => defaultUser(groups),
    defaultPass: (_source, user) => defaultPass(groups, user),
    statements,
    schema: makeSchema(profile),
    own,
    send,
    transaction: { begin: 'BEGIN', commit: 'COMMIT', rollback: 'ROLLBACK' },
    judge,
    openWakeup,
    longestName: 512,
    recipe,
  };
}
