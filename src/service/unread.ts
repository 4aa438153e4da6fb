/**
 * General messages that a service had and did not deal with: `onUnhandled` hears of them, and where there is none they are an
 * error. A service without `onGeneralMessage` would not have dealt with them anyway.
 */
import { IpcError } from '../errors.ts';
import type { Message } from '../message/message.ts';
import type { Calling } from './calling.ts';
import type { Service } from './definition.ts';

/** As many messages an error lists; more are only counted. */
const listed = 100;

/** What one service has left. */
export class Unread {
  readonly #service: Service;
  readonly #calling: Calling;
  readonly #messages: Message[] = [];
  #total = 0;

  constructor(service: Service, calling: Calling) {
    this.#service = service;
    this.#calling = calling;
  }

  /** These have been left. Never rejects. */
  async add(messages: readonly Message[]): Promise<void> {
    const { callbacks } = this.#calling;
    if (callbacks.has('onUnhandled')) {
      for (const message of messages) await this.#calling.call('onUnhandled', message, this.#service);
    } else if (callbacks.has('onGeneralMessage')) {
      this.#total += messages.length;
      this.#messages.push(...messages.slice(0, listed - this.#messages.length));
    }
  }

  /** Throws `IPCM_UNREAD_MESSAGES` if there are any of which nobody has heard. */
  check(): void {
    const { name } = this.#service;
    const total = this.#total;
    if (total === 0) return;
    const few = this.#messages.slice(0, 5).map(({ id, from }) => `${id} from "${from}"`);
    throw new IpcError(
      'IPCM_UNREAD_MESSAGES',
      `service "${name}" left ${total} messages that its onGeneralMessage has not seen: ${few.join(', ')}` +
        `${total > 5 ? ', …' : ''}; give its end more time (drainTimeout), or give it an onUnhandled to hear of them`,
      { client: name, details: { total, messages: this.#messages } },
    );
  }
}
