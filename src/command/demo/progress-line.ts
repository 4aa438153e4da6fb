/** One line on the terminal that tells how far the demo is; nothing where stderr is no terminal. */

/** A line that overwrites itself. */
export class ProgressLine {
  #shown = false;

  /** Shows how much has been read. */
  show({ bytes, lines }: { readonly bytes: number; readonly lines: number }): void {
    if (!process.stderr.isTTY) return;
    this.#shown = true;
    process.stderr.write(`\r\u001b[Kreading: ${lines.toLocaleString('en-US')} lines, ${(bytes / 1e6).toFixed(1)} MB`);
  }

  /** Removes the line. */
  clear(): void {
    if (this.#shown) process.stderr.write('\r\u001b[K');
    this.#shown = false;
  }
}
