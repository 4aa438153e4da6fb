import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readContent, requestContent, responseContent, cancelContent, infoContent } from '../../src/service/wire.ts';

/** As it arrives. */
const wired = (content: unknown): unknown => JSON.parse(JSON.stringify(content));

describe('what a content means', () => {
  it('is what it was written to mean', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.jsonValue(),
        fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
        (id, value, deadline) => {
          const plain = wired(value);
          const limit = deadline === null || Object.is(deadline, -0) ? undefined : deadline;
          assert.deepEqual(readContent(wired(requestContent(id, plain, limit))), {
            kind: 'request',
            id,
            request: plain,
            deadline: limit,
          });
          assert.deepEqual(readContent(wired(responseContent(id, { response: plain }))), {
            kind: 'response',
            id,
            outcome: { response: plain },
          });
          assert.deepEqual(readContent(wired(cancelContent(id))), { kind: 'cancel', id });
          assert.deepEqual(readContent(wired(infoContent(id, limit))), { kind: 'info', id });
        },
      ),
    );
  });

  it('is never an exception, and nothing for what is none of ours', () => {
    const key = fc.constantFrom(
      'ipcm_request_id',
      'ipcm_response_id',
      'ipcm_error',
      'ipcm_cancel_id',
      'request',
      'response',
    );
    const hostile = fc.oneof(fc.jsonValue(), fc.dictionary(fc.oneof(key, fc.string()), fc.jsonValue()));
    fc.assert(
      fc.property(hostile, (content) => {
        const meaning = readContent(content);
        return meaning === undefined || typeof meaning.id === 'string';
      }),
    );
    const none = [
      null,
      7,
      'x',
      [],
      {},
      { request: 1 },
      { ipcm_request_id: 7 },
      { ipcm_response_id: null },
      { terminate: 1 },
    ];
    for (const each of none) assert.equal(readContent(each), undefined, JSON.stringify(each));
  });

  it('takes whatever the other side calls an error', () => {
    const errorOf = (fields: object): unknown => {
      const meaning = readContent({ ipcm_response_id: 'i', response: null, ...fields });
      return meaning?.kind === 'response' ? meaning.outcome : undefined;
    };
    assert.deepEqual(errorOf({ ipcm_error: 'text' }), { error: 'text', code: undefined });
    assert.deepEqual(errorOf({ ipcm_error: { deep: 1 }, ipcm_error_code: 7 }), {
      error: '{"deep":1}',
      code: undefined,
    });
    assert.deepEqual(errorOf({ ipcm_error: null }), { response: null });
  });
});
