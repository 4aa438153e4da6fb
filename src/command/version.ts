/** The version of the package. */
import { readFileSync } from 'node:fs';

/** The root of the package: src/command and dist/command lie equally deep. */
export const packageRoot = new URL('../../', import.meta.url);

const { version: read } = JSON.parse(readFileSync(new URL('package.json', packageRoot), 'utf8')) as {
  readonly version: string;
};

/** The version of the package. */
export const version: string = read;
