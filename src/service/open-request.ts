/** One request in hand, with the signal that tells its handler when nobody waits for the answer any more. */
import { IpcError } from '../errors.ts';
import { Timer } from '../launch/timer.ts';
import type { Message } from '../message/message.ts';
import type { RequestContext, Service } from './definition.ts';
import type { ReceivedRequest } from './intake.ts';

/** A request in hand, as its handler gets it. */
export class OpenRequest<Params = unknown> implements RequestContext<Params> {
  readonly service: Service<Params>;
  readonly message: Message;
  readonly id: string;
  readonly deadline: number | undefined;
  readonly #answersLater: (context: OpenRequest) => void;
  #controller: AbortController | undefined;
  #timer: Timer | undefined;
  #reason: Error | undefined;
  #later = false;
  /** Not for callers: an answer has been given, and may be on its way. */
  isAnswered = false;

  /** Not for callers. */
  constructor(service: Service<Params>, { message, meaning }: ReceivedRequest, later: (context: OpenRequest) => void) {
    const { id, deadline } = meaning;
    this.service = service;
    this.message = message;
    this.id = id;
    this.deadline = deadline === undefined ? undefined : deadline * 1000;
    this.#answersLater = later;
  }

  get from(): string {
    return this.message.from;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
      else if (this.deadline !== undefined) this.#abortAt(this.deadline);
    }
    return this.#controller.signal;
  }

  later(): undefined {
    this.#later = true;
    this.#answersLater(this);
  }

  /** Not for callers: whether `later` was called. */
  get isLater(): boolean {
    return this.#later;
  }

  /** Not for callers: nobody waits for the answer any more. */
  abandon(reason: Error): void {
    this.#reason ??= reason;
    this.#controller?.abort(this.#reason);
  }

  /** Not for callers: the request has been answered. */
  done(): void {
    this.#timer?.clear();
  }

  /** Not for callers: the answer has to wait, and is for nobody when the deadline has passed. */
  waits(): AbortSignal {
    if (this.#controller !== undefined && this.deadline !== undefined) this.#abortAt(this.deadline);
    return this.signal;
  }

  #abortAt(deadline: number): void {
    const left = deadline - Date.now();
    const passed = (): void => {
      this.abandon(
        new IpcError('IPCM_TIMEOUT', `the sender of request ${this.id} waits no longer`, { peer: this.from }),
      );
    };
    if (left <= 0) passed();
    else this.#timer = new Timer(passed, left).unref();
  }
}
