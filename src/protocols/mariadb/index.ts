/** The protocol MariaDB: messages are rows on a server, which hosts can share. */
import type { Protocol } from '../../protocol/protocol.ts';
import { makeFamily } from '../mysql-family/family.ts';
import { makeServerProtocol } from '../sql-server/protocol.ts';
import { recipe } from './recipe.ts';

/** The protocol. */
export const protocol: Protocol = makeServerProtocol(
  makeFamily({
    protocol: 'MariaDB',
    drivers: ['MariaDB'],
    schemes: ['mariadb', 'mysql'],
    example: 'dbi:MariaDB:database=ipcm;mariadb_socket=/run/mysqld/mysqld.sock',
    groups: ['client-mariadb', 'client-server'],
    needs: 'a MariaDB server (10.2), and the package mariadb',
    // From 10.7 a type of its own, of half the size.
    idType: ({ hasUuid }) => (hasUuid ? 'UUID' : 'VARCHAR(36)'),
    recipe,
  }),
);

export default protocol;
