/** The program of every process that is started here, in the form in which this file itself runs: from source or built. */
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Its path. */
export const program = fileURLToPath(new URL(`./child${extname(import.meta.url)}`, import.meta.url));
