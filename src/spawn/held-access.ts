/**
 * As whom a store on a database server was made, for whoever is given the `Spawn` itself. Held apart from it, which may be
 * printed; the connection info carries none of it.
 */

interface Access {
  readonly user?: string | undefined;
  readonly pass?: string | undefined;
}

const held = new WeakMap<object, Access>();

/** Remembers it. */
export function holdAccess(spawn: object, { user, pass }: Access): void {
  if (user !== undefined || pass !== undefined) held.set(spawn, { user, pass });
}

/** Options with which one gets into a store: with neither user nor password in them those of the `Spawn`, if it is one. */
export function withAccessTo<T extends Access>(
  info: unknown,
  options: T | undefined,
): (T & Access) | Access | undefined {
  const access = typeof info === 'object' && info !== null ? held.get(info) : undefined;
  if (access === undefined || options?.user !== undefined || options?.pass !== undefined) return options;
  return { ...options, ...access };
}
