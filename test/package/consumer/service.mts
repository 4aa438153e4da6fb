import { defineService, ipcmService, type StandardSchema } from 'ipc-manager/service';

export const adder = defineService({ handleRequest: ({ a, b }: { a: number; b: number }) => a + b });

declare const numbers: StandardSchema<{ readonly values: readonly number[] }>;

export const summer = defineService({
  requestSchema: numbers,
  handleRequest: ({ values }, { service, signal }) => {
    signal.throwIfAborted();
    return { sum: values.reduce((sum, value) => sum + value, 0), by: service.name };
  },
});

export async function main(): Promise<string> {
  const handle = await ipcmService('adder', adder, { params: { any: new Map() } });
  const sum: number = await handle.request({ a: 1, b: 2 }, { timeout: 1000 });
  // @ts-expect-error The request has another shape.
  await handle.request({ a: 1 });
  // @ts-expect-error The answer is a number.
  const text: string = await handle.request({ a: 1, b: 2 });

  const other = await ipcmService('summer', summer);
  const { by } = await other.request({ values: [sum, text.length] });
  // @ts-expect-error The schema says what a request is.
  await other.request({ values: ['one'] });
  other.sendRequest({ values: [] }, { callback: (error, response) => console.log(error?.message, response?.sum) });
  return by;
}
