/** Where the workers of the tests are; written so that it is right in every folder of the first level, built or not. */
import { extname } from 'node:path';

/** URL of their module. */
export const workerModule = new URL(`../testing/services/workers${extname(import.meta.url)}`, import.meta.url).href;
