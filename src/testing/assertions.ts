/** Assertions that the tests share. */
import assert from 'node:assert/strict';
import { isIpcError, type ErrorCode, type IpcError } from '../errors.ts';
import type { Client } from '../client/client.ts';
import type { Message } from '../message/message.ts';
import { ChildError } from './child-process.ts';
import { receiptOf, type Receipt } from './numbered.ts';

/** Asserts that a promise rejects with an error of the bus, of one of these codes, and that its message explains itself. */
export async function rejectsWith(promise: Promise<unknown>, ...codes: readonly ErrorCode[]): Promise<IpcError> {
  try {
    await promise;
  } catch (error) {
    return isOneOf(error, codes);
  }
  assert.fail(`resolved, where it should have rejected with ${codes.join(' or ')}`);
}

/** Asserts the same of a call that throws. */
export function throwsWith(call: () => unknown, ...codes: readonly ErrorCode[]): IpcError {
  try {
    call();
  } catch (error) {
    return isOneOf(error, codes);
  }
  assert.fail(`returned, where it should have thrown ${codes.join(' or ')}`);
}

/** Asserts that a child reports such an error. */
export async function childRejectsWith(promise: Promise<unknown>, ...codes: readonly ErrorCode[]): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof ChildError, String(error));
    assert.ok(
      codes.some((code) => code === error.code),
      `${error.code}: ${error.message}`,
    );
    return true;
  });
}

function isOneOf(error: unknown, codes: readonly ErrorCode[]): IpcError {
  if (!isIpcError(error)) throw error;
  assert.ok(codes.includes(error.code), `${error.code} instead of ${codes.join(' or ')}: ${error.message}`);
  assert.ok(error.message.length > 10, 'the message says what happened');
  return error;
}

/** Reads until there are `count` messages; rejects when they do not come. */
export async function take(client: Client, count: number, timeout = 10_000): Promise<Message[]> {
  const messages: Message[] = [];
  while (messages.length < count) {
    const more = await client.getMessages({ limit: count - messages.length, timeout });
    assert.ok(
      more.length > 0,
      `${client.id} got ${messages.length} of ${count} messages, and no more in ${timeout} ms`,
    );
    messages.push(...more);
  }
  return messages;
}

/** The same, and only what they say. */
export async function takeContents(client: Client, count: number): Promise<unknown[]> {
  return (await take(client, count)).map(({ content }) => content);
}

/** The same for numbered messages, each of which is checked. */
export async function takeNumbered(client: Client, count: number): Promise<Receipt[]> {
  return (await take(client, count)).map(({ from, content }) => receiptOf(from, content));
}

/** Asserts that nothing waits for a client. */
export async function hasNothing(client: Client): Promise<void> {
  assert.deepEqual(await client.getMessages(), [], `${client.id} has nothing to read`);
}

/** The fields of a message whose content is an object. */
export function fieldsOf(message: Message | undefined): Readonly<Record<string, unknown>> {
  assert.ok(typeof message?.content === 'object', 'there is a message, and its content is an object');
  return message.content as Readonly<Record<string, unknown>>;
}
