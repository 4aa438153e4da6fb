/** The process that said it is ready: with a wrapper, and for a daemon, another one than was started. */
import { systemCode } from '../errors.ts';
import { isAlive } from '../liveness/alive.ts';
import { ownIdentity, type ProcessIdentity } from '../liveness/identity.ts';

/** Such a process. */
export class ReadyProcess {
  readonly #identity: ProcessIdentity;

  constructor(identity: ProcessIdentity) {
    this.#identity = identity;
  }

  get pid(): number {
    return this.#identity.pid;
  }

  /** False once it has ended, and in another pid namespace, whose numbers are those of others here. */
  get alive(): boolean {
    return this.#identity.namespace === ownIdentity().namespace && isAlive(this.#identity);
  }

  /** Sends a signal; false when it cannot be reached. */
  kill(signal: NodeJS.Signals): boolean {
    if (!this.alive) return false;
    try {
      return process.kill(this.pid, signal);
    } catch (error) {
      const code = systemCode(error);
      // Ended in this moment, or somebody else's by means of the wrapper, such as sudo.
      if (code === 'ESRCH' || code === 'EPERM') return false;
      throw error;
    }
  }
}
