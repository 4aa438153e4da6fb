/** Lines of a byte stream, as they come, with a bound on what one line may take. */

/** A line, or where one was longer than the limit. */
export type Line =
  { readonly number: number; readonly text: string } | { readonly number: number; readonly tooLong: true };

/**
 * The complete lines of each chunk, so that a reader can deal with them together; at the end what follows the last line
 * feed. A line over `limit` bytes is skipped, and only marked.
 */
export async function* linesOf(source: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<Line[], void, void> {
  let parts: Uint8Array[] = [];
  let held = 0;
  let number = 0;
  const hold = (part: Uint8Array): void => {
    held += part.length;
    if (held <= limit) parts.push(part);
    else parts = [];
  };
  const finish = (): Line => {
    const line: Line =
      held > limit
        ? { number: ++number, tooLong: true }
        : { number: ++number, text: Buffer.concat(parts).toString('utf8') };
    parts = [];
    held = 0;
    return line;
  };
  for await (const chunk of source) {
    const lines: Line[] = [];
    let from = 0;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
      hold(chunk.subarray(from, at));
      lines.push(finish());
      from = at + 1;
    }
    if (from < chunk.length) hold(chunk.subarray(from));
    if (lines.length > 0) yield lines;
  }
  if (held > 0) yield [finish()];
}
