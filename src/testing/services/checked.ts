/** Services whose errors and schemas matter. */
import { defineService } from '../../service/define.ts';
import type { StandardSchema } from '../../service/schema.ts';

/** Answers with what it was given, and tells nothing of its errors. */
export const discreet = defineService({
  handleRequest(message: unknown): never {
    throw new Error(String(message));
  },
  onError(): void {},
});

interface Sum {
  readonly summands: readonly number[];
}

/** A schema as its author would write it who uses no library for it. */
const sumSchema: StandardSchema<Sum> = {
  '~standard': {
    version: 1,
    vendor: 'ipc-manager',
    validate(value) {
      const { summands } = value as Partial<Sum>;
      if (!Array.isArray(summands)) return { issues: [{ message: 'is no array', path: ['summands'] }] };
      const wrong = summands.findIndex((each) => Number.isNaN(Number(each)));
      if (wrong !== -1) return { issues: [{ message: 'is no number', path: [{ key: 'summands' }, wrong] }] };
      return { value: { summands: summands.map(Number) } };
    },
  },
};

const smallSchema: StandardSchema<number> = {
  '~standard': {
    version: 1,
    vendor: 'ipc-manager',
    validate: async (value) =>
      Number(value) < 100 ? { value: Number(value) } : { issues: [{ message: `${String(value)} is too much` }] },
  },
};

/** Adds what its schema lets through; by `later` it answers as well. */
export const adder = defineService<Sum, number>({
  requestSchema: sumSchema,
  responseSchema: smallSchema,
  handleRequest({ summands }, context) {
    const sum = summands.reduce((all, each) => all + each, 0);
    if (summands.length !== 1) return sum;
    context.service.sendResponse(context.id, sum).catch(() => undefined);
    return context.later() as never;
  },
  onError(): void {},
});
