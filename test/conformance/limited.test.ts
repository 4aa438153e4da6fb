// The suite on a protocol given as an object, without the optional capabilities and without a way to inject garbage.
import { runConformance } from '../../src/testing/index.ts';
import { protocol } from '../fixtures/conformance-limited.ts';

await runConformance({ name: 'Limited', protocol });
