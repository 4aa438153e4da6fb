/** Receiving: messages out of the client's own FIFO. */
import { closeSync } from 'node:fs';
import { IpcError } from '../../errors.ts';
import { systemError } from '../../native/native.ts';
import type { ConnectionReport } from '../../protocol/protocol.ts';
import type { Source } from '../directory/descriptor-connection.ts';
import { storeError } from '../directory/files.ts';
import type { Member } from '../directory/member.ts';
import { ChunkReader } from './chunk-reader.ts';
import { again, type Pipes } from './pipe.ts';
import { Plug } from './plug.ts';
import { Reassembly } from './reassembly.ts';

/** Bytes of one look at least: a pipe as large as Linux makes it unless told otherwise. */
const leastLook = 1024 * 1024;

/** Reads one FIFO. */
export class Inbox implements Source {
  readonly fd: number;
  readonly #member: Member;
  readonly #report: ConnectionReport;
  readonly #chunks: ChunkReader;
  readonly #reassembly: Reassembly;
  readonly #pipes: Pipes;
  #plug: Plug | undefined;

  /** Takes over the descriptor. */
  constructor(fd: number, pipes: Pipes, member: Member, report: ConnectionReport) {
    this.fd = fd;
    this.#pipes = pipes;
    this.#member = member;
    this.#report = report;
    const source = {
      read: (buffer: Uint8Array, offset: number, length: number) => this.#read(buffer, offset, length),
      garbage: (bytes: number) =>
        this.#malformed(`${bytes} bytes in its FIFO were no message of anybody and have been skipped`),
    };
    // All that is in there when a look begins is found by it; what has come since can be for the next one.
    this.#chunks = new ChunkReader(source, Math.max(leastLook, pipes.native?.pipeSize(fd) ?? 0));
    const { maxMessageBytes } = member.options.limits;
    this.#reassembly = new Reassembly(maxMessageBytes, {
      tooLarge: (pid) => {
        const text = `a message from process ${pid} is over the limit of ${maxMessageBytes} bytes: dropped; raise maxMessageBytes`;
        this.#reject('IPCM_MESSAGE_TOO_LARGE', text, pid);
      },
      torn: (pid, bytes, why) =>
        this.#malformed(`the first ${bytes} bytes of a message from process ${pid} were dropped: ${why}`, pid),
    });
  }

  begin(): void {
    this.#reassembly.recycle();
    this.#chunks.begin();
  }

  next(): Uint8Array | undefined {
    const chunks = this.#chunks;
    while (chunks.next()) {
      if (this.#plug?.isFiller(chunks.pid, chunks.tid) === true) continue;
      const whole = this.#reassembly.add(chunks.pid, chunks.tid, chunks.part, chunks.data);
      if (whole !== undefined) return whole;
    }
    if (chunks.isEmpty) this.#reassembly.emptied();
    return undefined;
  }

  get isEmpty(): boolean {
    return this.#chunks.isEmpty;
  }

  get begun(): boolean {
    return this.#reassembly.begun;
  }

  incomplete(): boolean {
    return this.#reassembly.incomplete();
  }

  shut(): boolean {
    this.#plug ??= new Plug(this.fd, this.#pipes);
    return this.#plug.fill();
  }

  close(): void {
    closeSync(this.fd);
  }

  #read(buffer: Uint8Array, offset: number, length: number): number {
    const result = this.#pipes.read(this.fd, buffer, offset, length);
    if (result >= 0) return result;
    if (result === again) return 0;
    throw storeError(systemError(result, 'read', this.#member.path), 'receive', this.#member.place);
  }

  #malformed(text: string, pid?: number): void {
    this.#reject('IPCM_MALFORMED_MESSAGE', text, pid);
  }

  #reject(code: 'IPCM_MALFORMED_MESSAGE' | 'IPCM_MESSAGE_TOO_LARGE', text: string, pid: number | undefined): void {
    const { name, place } = this.#member;
    const facts = { client: name, ...place, ...(pid === undefined ? {} : { pid }) };
    this.#report.rejected(new IpcError(code, `client "${name}": ${text}`, facts));
  }
}
