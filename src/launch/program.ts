/** The program of every process that is started by this package, in the form in which this file runs: from source or built. */
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Its path; written so that it is right in every folder of the first level. */
export const program = fileURLToPath(new URL(`../service/child${extname(import.meta.url)}`, import.meta.url));
