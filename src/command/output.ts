/** What the command writes: data on stdout, as lines of JSON or a table, and talk on stderr. */
import { styleText } from 'node:util';
import Table from 'cli-table3';

const readerGone = new AbortController();

/** Aborts when whoever read our stdout has gone (`| head -1`): there is no point in getting more data. */
export const stdoutGone: AbortSignal = readerGone.signal;

let watched = false;

function watchOutputs(): void {
  if (watched) return;
  watched = true;
  // Without a listener a closed pipe would end the process with a stack trace; `print` deals with what it means.
  process.stdout.on('error', () => readerGone.abort());
  process.stderr.on('error', () => undefined);
}

/**
 * Writes to stdout. Resolves to true when the system has taken it, so that awaiting it is the backpressure; to false when
 * the reader has gone. Rejects with what else can go wrong, such as a full disk behind `> file`.
 */
export function print(text: string): Promise<boolean> {
  watchOutputs();
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (error === undefined || error === null) resolve(true);
      else if ('code' in error && (error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED')) resolve(false);
      else reject(error);
    });
  });
}

/** Writes values as lines of JSON, as {@link print}. */
export function printJson(...values: unknown[]): Promise<boolean> {
  return print(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
}

/** One line of talk on stderr. */
export function say(line: string): void {
  watchOutputs();
  process.stderr.write(`ipcm: ${printable(line)}\n`);
}

/** Text that cannot play tricks on a terminal: names and messages come from others, and may hold escape sequences. */
export function printable(text: string): string {
  return text.replace(/(?![\n\t])\p{C}/gu, (char) => {
    const code = char.codePointAt(0) ?? 0;
    return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

type Style = Parameters<typeof styleText>[0];

/** Styles text for a stream that shows colours; NO_COLOR and pipes get it plain. */
export function styled(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  // Asked here and not left to styleText, which on Node 20 colours whatever the stream.
  const colours = stream.isTTY === true && (process.env['NO_COLOR'] ?? '') === '' && stream.hasColors();
  return colours ? styleText(style, text, { validateStream: false }) : text;
}

/** A column's heading, and where its cells stand. */
export type Column = string | { readonly title: string; readonly align: 'right' };

const bare = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** A cell: what it says, which may come from others, and perhaps its style. */
export type Cell = string | number | { readonly text: string; readonly style: Style };

function cellText(cell: Cell): string {
  const text = String(typeof cell === 'object' ? cell.text : cell);
  const safe = printable(text).replaceAll(/[\n\t]/g, ' ');
  return typeof cell === 'object' ? styled(cell.style, safe) : safe;
}

/** Writes rows below headings, in columns. */
export function printTable(columns: readonly Column[], rows: readonly (readonly Cell[])[]): Promise<boolean> {
  const table = new Table({
    head: columns.map((column) => styled('bold', typeof column === 'string' ? column : column.title)),
    colAligns: columns.map((column) => (typeof column === 'string' ? 'left' : column.align)),
    chars: bare,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const row of rows) table.push(row.map(cellText));
  return print(`${table.toString().replaceAll(/ +$/gm, '')}\n`);
}
