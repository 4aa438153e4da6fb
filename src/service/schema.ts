/**
 * Validation by any Standard Schema (https://standardschema.dev): zod, valibot, arktype and others carry the property
 * `~standard`, and nothing else of them is used.
 */
import { IpcError } from '../errors.ts';

/** A schema, version 1 of the specification, as far as it is used here. */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
  };
}

/** What a validation found. */
export type SchemaResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] };

interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The value as the schema gives it back. Rejects with `IPCM_REQUEST_INVALID`, naming what is wrong and where. */
export async function validate<T>(schema: StandardSchema<T>, value: unknown, what: string): Promise<T> {
  const result = await schema['~standard'].validate(value);
  if (result.issues === undefined) return result.value;
  const issues = result.issues.map(({ message, path }) => {
    const place = path?.map((step) => String(typeof step === 'object' ? step.key : step)).join('.');
    return place === undefined || place === '' ? message : `${place}: ${message}`;
  });
  throw new IpcError('IPCM_REQUEST_INVALID', `${what} does not fit its schema: ${issues.join('; ')}`, {
    details: { issues },
  });
}
