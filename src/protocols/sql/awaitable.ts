/** Going on without a turn through the microtask queue where an answer is there at once. */
import type { Awaitable } from '../../protocol/protocol.ts';

/** Goes on with `goOn` at once where the answer is there, else when it comes. */
export function andThen<T, U>(value: Awaitable<T>, goOn: (answer: T) => Awaitable<U>): Awaitable<U> {
  return value instanceof Promise ? value.then((answer) => goOn(answer)) : goOn(value);
}

/** Does something, and `recover` with its error where it fails, now or later. */
export function orElse<T>(action: () => Awaitable<T>, recover: (error: unknown) => Awaitable<T>): Awaitable<T> {
  try {
    const outcome = action();
    return outcome instanceof Promise ? outcome.catch(recover) : outcome;
  } catch (error) {
    return recover(error);
  }
}
