/** Tells what comes out of JSON as it went in, to the last member, as it would out of a structured clone. */

/** True for such a value. */
export function isPlain(value: unknown): boolean {
  return check(value, new Set());
}

function check(value: unknown, seen: Set<object>): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0);
  // A clone has one copy of what stands in two places, and keeps cycles.
  if (typeof value !== 'object' || seen.has(value)) return false;
  seen.add(value);
  const keys = Reflect.ownKeys(value);
  if (Array.isArray(value)) {
    // No holes, and no members but the elements; `length` is a key as well.
    return isOf(value, Array.prototype) && keys.length === value.length + 1 && value.every((each) => check(each, seen));
  }
  if (!isOf(value, Object.prototype)) return false;
  return keys.every((key) => typeof key === 'string' && key !== '__proto__' && isMember(value, key, seen));
}

function isOf(value: object, prototype: object): boolean {
  return Object.getPrototypeOf(value) === prototype && !('toJSON' in value);
}

/** Getters are called by what copies, once. */
function isMember(value: object, key: string, seen: Set<object>): boolean {
  const property = Object.getOwnPropertyDescriptor(value, key);
  return property?.enumerable === true && 'value' in property && check(property.value, seen);
}
