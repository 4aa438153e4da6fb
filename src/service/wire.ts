/**
 * What requests and answers look like as the content of a message. The first three are those of the reference
 * implementation; what only we write stands beside them, where it is not looked at:
 *
 * | content | |
 * |---|---|
 * | `{"ipcm_request_id": ID, "request": …}` | a request; with `ipcm_deadline` (epoch seconds) where its sender waits no longer than that, and `ipcm_carried` (texts by name) where it is traced |
 * | `{"ipcm_response_id": ID, "response": …}` | the answer |
 * | `{"ipcm_response_id": ID, "response": null, "ipcm_error": TEXT}` | the handler threw; with `ipcm_error_code` where the error has a stable code |
 * | `{"ipcm_request_id": ID, "request": null, "ipcm_service_info": 1}` | asks the service about itself; its handler does not see it |
 * | `{"ipcm_cancel_id": ID}` | the sender of the request has lost interest; sent only by who gave an AbortSignal |
 */

/** A content that means something to a service. */
export type ServiceContent =
  | { readonly kind: 'request'; readonly id: string; readonly request: unknown; readonly deadline: number | undefined }
  | { readonly kind: 'info'; readonly id: string }
  | { readonly kind: 'response'; readonly id: string; readonly outcome: Outcome }
  | { readonly kind: 'cancel'; readonly id: string };

/** What came of a request, as it goes over the wire. */
export type Outcome = { readonly response: unknown } | { readonly error: string; readonly code: string | undefined };

/** What a content means; undefined for a general message. */
export function readContent(content: unknown): ServiceContent | undefined {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) return undefined;
  const fields = content as Readonly<Record<string, unknown>>;
  const response = fields['ipcm_response_id'];
  if (typeof response === 'string') return { kind: 'response', id: response, outcome: readOutcome(fields) };
  const request = fields['ipcm_request_id'];
  if (typeof request === 'string') {
    if (fields['ipcm_service_info'] === 1) return { kind: 'info', id: request };
    const deadline = fields['ipcm_deadline'];
    return {
      kind: 'request',
      id: request,
      request: fields['request'] ?? null,
      deadline: typeof deadline === 'number' ? deadline : undefined,
    };
  }
  const cancel = fields['ipcm_cancel_id'];
  return typeof cancel === 'string' ? { kind: 'cancel', id: cancel } : undefined;
}

/** What came with a request for those who trace it. */
export function carriedWith(content: unknown): Readonly<Record<string, string>> {
  const carried = (content as Readonly<Record<string, unknown>>)['ipcm_carried'];
  if (typeof carried !== 'object' || carried === null) return {};
  return Object.fromEntries(
    Object.entries(carried).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

/** The content of a request. */
export function requestContent(
  id: string,
  request: unknown,
  deadline: number | undefined,
  carried?: Readonly<Record<string, string>>,
): object {
  const content =
    deadline === undefined
      ? { ipcm_request_id: id, request }
      : { ipcm_request_id: id, request, ipcm_deadline: deadline };
  return carried === undefined ? content : { ...content, ipcm_carried: carried };
}

/** The content that asks a service about itself; one that does not know of this takes it for a request of null. */
export function infoContent(id: string, deadline: number | undefined): object {
  return { ...requestContent(id, null, deadline), ipcm_service_info: 1 };
}

/** The content of an answer. */
export function responseContent(id: string, outcome: Outcome): object {
  if ('response' in outcome) return { ipcm_response_id: id, response: outcome.response ?? null };
  const { error, code } = outcome;
  const failed = { ipcm_response_id: id, response: null, ipcm_error: error };
  return code === undefined ? failed : { ...failed, ipcm_error_code: code };
}

/** The content that takes a request back. */
export function cancelContent(id: string): object {
  return { ipcm_cancel_id: id };
}

function readOutcome(fields: Readonly<Record<string, unknown>>): Outcome {
  const [error, code] = [fields['ipcm_error'], fields['ipcm_error_code']];
  if (error === undefined || error === null) return { response: fields['response'] ?? null };
  return {
    error: typeof error === 'string' ? error : JSON.stringify(error),
    code: typeof code === 'string' ? code : undefined,
  };
}
