/** A server that is stopped and started again under traffic. */
import { restartTests } from '../sql-server/restart.ts';

restartTests('PostgreSQL');
