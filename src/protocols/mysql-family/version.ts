/** Which server it is: MariaDB answers where MySQL is asked for, and the other way round. */

/** A kind of server, as far as statements differ. */
export interface Kind {
  readonly isMariadb: boolean;
  /** The version as the server says it. */
  readonly version: string;
  /** True where there is a type UUID: MariaDB from 10.7. */
  readonly hasUuid: boolean;
  /** A collation of utf8mb4 in which texts are equal only if their bytes are; undefined in versions without one. */
  readonly exact: string | undefined;
}

/** What is needed, for people. */
export const oldest = 'MariaDB 10.2 or MySQL 8.0.17';

/** Reads a server's version, such as `10.11.19-MariaDB-0+deb12u1`. */
export function kindOf(told: unknown): Kind {
  const version = typeof told === 'string' ? told : '';
  const isMariadb = /mariadb/i.test(version);
  // Some MariaDB servers put the version of an old MySQL in front, for old clients.
  const [, major = 0, minor = 0, patch = 0] = (/(\d+)\.(\d+)\.(\d+)/.exec(version.replace(/^5\.5\.5-/, '')) ?? []).map(
    Number,
  );
  const from = (...least: readonly [number, number, number]): boolean =>
    (major - least[0] || minor - least[1] || patch - least[2]) >= 0;
  const hasExact = isMariadb ? from(10, 2, 4) : from(8, 0, 17);
  return {
    isMariadb,
    version,
    hasUuid: isMariadb && from(10, 7, 0),
    // The others, utf8mb4_bin among them, hold texts for equal that differ in trailing blanks.
    exact: hasExact ? (isMariadb ? 'utf8mb4_nopad_bin' : 'utf8mb4_0900_bin') : undefined,
  };
}
