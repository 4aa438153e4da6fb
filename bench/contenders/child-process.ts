/** Baseline: the channel of `fork`, with its default serialization, JSON. */
import type { ChildProcess } from 'node:child_process';
import { tmpdir } from 'node:os';
import { envelope, type Contender, type Envelope, type Link } from './contender.ts';

type End = Pick<ChildProcess, 'send' | 'on'>;

function linkOver(end: End, from: string, to: string): Link {
  let unsent = 0;
  let flushed: (() => void) | undefined;
  const sent = (error: Error | null): void => {
    if (error !== null) throw error;
    if (--unsent === 0) flushed?.();
  };
  return {
    send: (content) => {
      unsent++;
      if (end.send(envelope(from, to, content), sent)) return undefined;
      return new Promise((resolve) => (flushed = resolve));
    },
    onMessage: (handler) => {
      end.on('message', (message) => {
        // The same channel carries what the benchmark itself has to say.
        if (typeof message === 'object' && 'content' in message) handler((message as Envelope).content);
      });
    },
  };
}

export const childProcess: Contender = {
  name: 'child_process',
  base: tmpdir(),
  unavailable: () => Promise.resolve(undefined),
  open: () =>
    Promise.resolve({
      address: '',
      link: (peer, child) => {
        if (child === undefined) throw new Error('child_process needs a child');
        return Promise.resolve(linkOver(child, 'near', peer));
      },
      close: () => Promise.resolve(),
    }),
  join: (_address, peer) => Promise.resolve(linkOver(process as unknown as End, peer, 'near')),
};
