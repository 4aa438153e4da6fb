/** Messages that prove on arrival which they are and that they are whole. */

/** Content of such a message. */
export interface Numbered {
  readonly n: number;
  readonly bytes: number;
  readonly fill: string;
}

/** What is left of one after it has been checked, small enough to be reported. */
export interface Receipt {
  readonly from: string;
  readonly n: number;
  readonly bytes: number;
}

const fillOf = (n: number, bytes: number): string => String.fromCharCode(97 + (n % 26)).repeat(bytes);

/** The content numbered `n`, with `bytes` bytes of filling. */
export function numbered(n: number, bytes: number): Numbered {
  return { n, bytes, fill: fillOf(n, bytes) };
}

/** Checks that a content is such a message, whole and unchanged. */
export function receiptOf(from: string, content: unknown): Receipt {
  const { n, bytes, fill } = content as Partial<Numbered>;
  if (typeof n !== 'number' || typeof bytes !== 'number' || fill !== fillOf(n, bytes)) {
    const length = typeof fill === 'string' ? fill.length : typeof fill;
    throw new Error(`message ${n} from ${from} is not whole: ${length} of ${bytes} bytes, or other ones`);
  }
  return { from, n, bytes };
}

/** 0 up to but without `count`. */
export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}
