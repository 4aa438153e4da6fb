import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatHello } from '../../src/protocols/connection-unix/hello.ts';
import { settingsOf } from '../../src/protocols/connection-unix/settings.ts';
import type { StreamOwner, StreamSocket } from '../../src/protocols/connection-unix/stream-socket.ts';
import { Switchboard } from '../../src/protocols/connection-unix/switchboard.ts';
import type { Member } from '../../src/protocols/directory/member.ts';
import { everything, options, Report, serializer } from '../fixtures/directory-bus.ts';
import { frame, jsonFrame } from '../fixtures/connection-unix-raw.ts';

/** A socket whose peer says what it is told to. */
class Scripted implements StreamSocket {
  readonly fd = undefined;
  readonly writable = true;
  owner: StreamOwner | undefined;

  start(owner: StreamOwner): void {
    this.owner = owner;
  }

  /** The peer's last words. */
  leave(...bytes: Buffer[]): void {
    for (const some of bytes) this.owner?.data(some, false);
    this.owner?.ended();
    this.owner?.closed();
  }

  readNow = (): boolean => false;
  write = (): boolean => true;
  pause = (): void => undefined;
  resume = (): void => undefined;
  end = (): void => undefined;
  cut = (): void => undefined;
  destroy = (): void => undefined;
}

test('what waits for those who connected before is still to come, although its connection has ended', async () => {
  const member = { name: 'mine', options, place: { protocol: 'ConnectionUnix', route: '/none' } } as unknown as Member;
  const board = new Switchboard(member, settingsOf({ allowUsers: true }), new Report());
  const [silent, early] = [new Scripted(), new Scripted()];
  board.accept(silent);
  board.accept(early);
  const hello = frame(formatHello('early', serializer));
  early.leave(hello, jsonFrame({ id: 'x', from: 'early', to: 'mine', stamp: 1, content: 1 }));
  silent.leave();
  assert.deepEqual([board.open, board.peers.ready], [true, false]);
  await new Promise<void>((resolve) => void board.onWake(resolve));
  const found: object[] = [];
  board.peers.take(everything, found as never, 0);
  assert.equal(found.length, 1);
  assert.equal(board.open, false);
  board.destroy();
});
