/** Waiting no longer than so long. */

/** Nobody answered in time; for the rest of the layer as good as a connection that the system gave up. */
class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
  readonly code = 'ETIMEDOUT';
}

/** The answer, or an error after so many milliseconds. Whatever is asked goes on all the same. */
export async function within<T>(milliseconds: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      // What has come while this process was busy is in time.
      setImmediate(() => reject(new NoAnswer(`no answer for ${Math.round(milliseconds)} ms`)));
    }, milliseconds);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
