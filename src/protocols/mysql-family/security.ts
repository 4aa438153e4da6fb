/** What a connection is secured with: the settings that the DBI drivers know, and those of a handle. */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import type { Target } from '../sql-server/database.ts';
import { isLocalSource } from '../sql-server/data-source.ts';

/** The settings in a data source name that are understood, for both DBI drivers. */
export const securitySettings = (prefix: string): readonly string[] =>
  ['ssl', 'ssl_ca_file', 'ssl_client_cert', 'ssl_client_key', 'ssl_verify_server_cert'].map(
    (setting) => `${prefix}_${setting}`,
  );

/** Settings of the library. */
export function securityOf({ source, settings }: Target): Record<string, unknown> {
  const local = isLocalSource(source);
  return {
    // Without TLS the password is sent encrypted with the server's key, for which it is asked. On this host nobody can answer in
    // its place.
    allowPublicKeyRetrieval: local,
    ...(settings as Record<string, unknown> | undefined),
    ...tls(source.kept, source.host ?? '127.0.0.1'),
  };
}

function tls(kept: Readonly<Record<string, string>>, host: string): Record<string, unknown> {
  const setting = (name: string): string | undefined => kept[`mariadb_${name}`] ?? kept[`mysql_${name}`];
  const file = (name: string): string | undefined => {
    const path = setting(name);
    return path === undefined ? undefined : readFileSync(path, 'utf8');
  };
  const [ca, cert, key] = [file('ssl_ca_file'), file('ssl_client_cert'), file('ssl_client_key')];
  const verify = setting('ssl_verify_server_cert');
  if (setting('ssl') !== '1' && ca === undefined) return {};
  // As the DBI drivers do: a certificate is looked at when there is something to look at it with.
  const rejectUnauthorized = verify === '1' || (verify === undefined && ca !== undefined);
  return {
    ssl: {
      rejectUnauthorized,
      // Of a socket that it is given the library knows no host, and would look for localhost in the certificate.
      ...(isIP(host) === 0 ? { servername: host } : {}),
      checkServerIdentity: (_: string, certificate: PeerCertificate) => checkServerIdentity(host, certificate),
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    },
  };
}
