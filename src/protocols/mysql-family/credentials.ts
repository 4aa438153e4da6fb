/** Whom to connect as unless told: what the databases' own tools look at. */
import { systemUser } from '../sql-server/target.ts';
import { optionFile } from './option-file.ts';

/** The user: of the option file, else the one who runs this process. */
export function defaultUser(groups: readonly string[]): string | undefined {
  return optionFile(groups).get('user') ?? systemUser();
}

/** The password: `MYSQL_PWD`, else that of the option file, where it is for this user. */
export function defaultPass(groups: readonly string[], user: string | undefined): string | undefined {
  const given = process.env['MYSQL_PWD'];
  if (given !== undefined) return given;
  const options = optionFile(groups);
  return (options.get('user') ?? systemUser()) === user ? options.get('password') : undefined;
}
