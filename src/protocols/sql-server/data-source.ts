/**
 * Where a database is: the data source names of Perl's DBI (`dbi:Pg:dbname=ipcm;host=/tmp/pg;port=5432`), which are what the
 * connection info carries, and URLs (`postgres://user:password@host/ipcm`), which are turned into them.
 *
 * A user or a password in a route is taken as credential and goes no further: not into the info, and not into an error.
 */
import { IpcError } from '../../errors.ts';

/** How a kind of database writes its data sources. */
export interface RouteWords {
  /** DBI drivers, by the name after `dbi:`; the first is what we write unless another one was given. */
  readonly drivers: Readonly<Record<string, DriverWords>>;
  /** URL schemes, without the colon. */
  readonly schemes: readonly string[];
  /** An example, for errors. */
  readonly example: string;
}

/** The keys of one DBI driver. The first of each is what we write. */
export interface DriverWords {
  readonly database: readonly string[];
  readonly host: readonly string[];
  readonly port: readonly string[];
  /** Path of a unix socket; empty where `host` takes a directory. */
  readonly socket: readonly string[];
  /** Other keys that are kept as they are, for the driver to understand. */
  readonly kept: readonly string[];
}

/** A parsed data source. */
export interface DataSource {
  /** The DBI driver's name. */
  readonly driver: string;
  readonly database: string | undefined;
  /** A host, or where the database wants it so the directory of a unix socket. */
  readonly host: string | undefined;
  readonly port: number | undefined;
  /** A unix socket. */
  readonly socket: string | undefined;
  /** Other settings of the driver, by key. */
  readonly kept: Readonly<Record<string, string>>;
}

/** A route taken apart. */
export interface Route {
  readonly source: DataSource;
  readonly user: string | undefined;
  readonly pass: string | undefined;
}

type Entry = readonly [key: string, value: string];

/** Takes a route apart. Throws `IPCM_ROUTE_INVALID`, in whose text no credential stands. */
export function parseRoute(route: unknown, words: RouteWords, protocol: string): Route {
  const refuse = (why: string): never => {
    const text = `the route of a ${protocol} store ${why}; it is a data source name such as ${words.example}, or a ${words.schemes[0]} URL`;
    throw new IpcError('IPCM_ROUTE_INVALID', text, { protocol });
  };
  if (typeof route !== 'string' || route === '') return refuse('is a text');
  // Controls have no place in it, and a null byte would end it early for some.
  if (/\p{Cc}/u.test(route)) return refuse('holds a control character');
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(route)?.[1]?.toLowerCase();
  if (scheme !== undefined) {
    if (!words.schemes.includes(scheme)) return refuse(`cannot be a URL of the scheme ${scheme}`);
    return fromUrl(route, words, refuse);
  }
  const [, name, rest] = /^dbi:(\w+)(?:\([^)]*\))?:(.*)$/is.exec(route) ?? [];
  const driver = Object.keys(words.drivers).find((known) => known.toLowerCase() === name?.toLowerCase());
  const keys = driver === undefined ? undefined : words.drivers[driver];
  if (driver === undefined || keys === undefined || rest === undefined) return refuse('does not begin as one');
  // DBI drivers take a bare name as that of the database.
  const entries =
    rest !== '' && !rest.includes('=') ? [[keys.database[0] ?? '', rest] as const] : entriesOf(rest, refuse);
  return assemble(driver, keys, entries, refuse);
}

/** The entries `key=value`, which a semicolon or a space separates; a value may stand in single quotes. */
function entriesOf(text: string, refuse: (why: string) => never): Entry[] {
  const entries: Entry[] = [];
  const entry = /[;\s]*(?:([\w.-]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|([^;'\s]*))(?=[;\s]|$))?/gy;
  while (entry.lastIndex < text.length) {
    const from = entry.lastIndex;
    const [all = '', key, quoted, plain] = entry.exec(text) ?? [];
    if (all === '') return refuse(`cannot be read from its character ${from + 1} of the settings`);
    if (key !== undefined) entries.push([key.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '']);
  }
  return entries;
}

/** The parts of a URL. Not by `URL`, which takes no user without a host: then the host is the directory of a socket. */
const urlParts = /^[^:]+:\/\/(?:([^/?#]*)@)?(\[[^\]/?#]*\]|[^:/?#]*)(?::([^/?#]*))?(?:\/([^?#]*))?(?:\?([^#]*))?$/;

function fromUrl(route: string, words: RouteWords, refuse: (why: string) => never): Route {
  const [driver, keys] = Object.entries(words.drivers)[0] ?? refuse('has no driver');
  const decoded = (text: string, what: string): string => {
    try {
      return decodeURIComponent(text);
    } catch {
      // The reason would quote what may be a password.
      return refuse(`has a ${what} with a "%" that begins no escape`);
    }
  };
  // In no error stands what was not understood: a password may be in it.
  const [all, credentials = '', host = '', port = '', database = '', query = ''] = urlParts.exec(route) ?? [];
  if (all === undefined) return refuse('is no URL that can be read (an unescaped "#", "/" or "?" in the password?)');
  const entries: Entry[] = query
    .split('&')
    .filter((setting) => setting !== '')
    .map((setting) => {
      const [, key = '', value = ''] = /^([^=]*)=?(.*)$/.exec(setting) ?? [];
      return [decoded(key, 'setting').toLowerCase(), decoded(value, 'setting')];
    });
  const add = (names: readonly string[], value: string): void => {
    if (value !== '') entries.push([names[0] ?? '', value]);
  };
  add(keys.database, decoded(database, 'database'));
  add(keys.host, decoded(host, 'host').replace(/^\[(.*)\]$/, '$1'));
  add(keys.port, port);
  const parsed = assemble(driver, keys, entries, refuse);
  const [, user = '', pass = ''] = /^([^:]*):?(.*)$/.exec(credentials) ?? [];
  return {
    ...parsed,
    user: user === '' ? parsed.user : decoded(user, 'user'),
    pass: pass === '' ? parsed.pass : decoded(pass, 'password'),
  };
}

function assemble(driver: string, keys: DriverWords, entries: readonly Entry[], refuse: (why: string) => never): Route {
  const found = new Map<string, string>();
  const kept: Record<string, string> = {};
  const roles = { database: keys.database, host: keys.host, port: keys.port, socket: keys.socket };
  const credentials = { user: ['user', 'username'], pass: ['password', 'pass'] };
  for (const [key, value] of entries) {
    const [role] = Object.entries({ ...roles, ...credentials }).find(([, names]) => names.includes(key)) ?? [];
    if (role === undefined && !keys.kept.includes(key))
      return refuse(`has a setting "${key.slice(0, 40)}" that is none`);
    if (value.includes(';')) return refuse(`has a "${key}" with a semicolon, which no data source name can hold`);
    if (role === undefined) kept[key] = value;
    else if (found.has(role) && found.get(role) !== value) return refuse(`names its ${role} twice`);
    else if (value !== '') found.set(role, value);
  }
  const text = found.get('port');
  const port = text === undefined ? undefined : Number(text);
  if (port !== undefined && !(/^\d{1,5}$/.test(text ?? '') && port > 0 && port < 65_536))
    return refuse('has a port that is none');
  const [host, socket] = [found.get('host'), found.get('socket')];
  for (const path of [socket, host?.startsWith('/') === true ? host : undefined]) {
    // The kernel's limit for the path of a socket, sockaddr_un.sun_path; a directory gets a name of its own added.
    if (path !== undefined && Buffer.byteLength(path) > (path === socket ? 107 : 90))
      return refuse('names a unix socket whose path is too long (107 bytes at most)');
  }
  if (socket !== undefined && !socket.startsWith('/')) return refuse('has a socket that is no absolute path');
  const source = { driver, database: found.get('database'), host, port, socket, kept };
  return { source, user: found.get('user'), pass: found.get('pass') };
}

/** The data source name, always the same for the same source. */
export function formatSource(source: DataSource, words: RouteWords): string {
  const keys = words.drivers[source.driver];
  if (keys === undefined) throw new TypeError(`no driver ${source.driver}`);
  const entries: (readonly [readonly string[], string | number | undefined])[] = [
    [keys.database, source.database],
    [keys.host, source.host],
    [keys.port, source.port],
    [keys.socket, source.socket],
    ...Object.keys(source.kept)
      .sort()
      .map((key) => [[key], source.kept[key]] as const),
  ];
  const parts = entries.flatMap(([[key = ''], value]) =>
    value === undefined ? [] : [`${key}=${quoted(String(value))}`],
  );
  return `dbi:${source.driver}:${parts.join(';')}`;
}

function quoted(value: string): string {
  return /^[^\s'\\]+$/.test(value) ? value : `'${value.replace(/['\\]/g, '\\$&')}'`;
}

/** True when the server can only be on this machine. */
export function isLocalSource({ host, socket }: DataSource): boolean {
  if (socket !== undefined || host === undefined || host.startsWith('/')) return true;
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
