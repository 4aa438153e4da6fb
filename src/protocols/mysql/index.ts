/** The protocol MySQL: messages are rows on a server, which hosts can share. */
import type { Protocol } from '../../protocol/protocol.ts';
import { makeFamily } from '../mysql-family/family.ts';
import { makeServerProtocol } from '../sql-server/protocol.ts';
import { recipe } from './recipe.ts';

/** The protocol. */
export const protocol: Protocol = makeServerProtocol(
  makeFamily({
    protocol: 'MySQL',
    drivers: ['mysql', 'MariaDB'],
    schemes: ['mysql'],
    example: 'dbi:mysql:database=ipcm;mysql_socket=/run/mysqld/mysqld.sock',
    groups: ['client-server'],
    needs: 'a MySQL server (8.0.17), and the package mariadb',
    idType: () => 'VARCHAR(36)',
    recipe,
  }),
);

export default protocol;
