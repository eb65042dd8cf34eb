/** Splits a stream of bytes into lines; it buffers at most one line of the largest size. */

const NEWLINE = 0x0a;

export class LineSplitter {
  readonly #limit: number;
  readonly #online: (line: string | undefined) => void;
  /** The pieces of the incomplete line. */
  #pieces: Buffer[] = [];
  #held = 0;
  #tooLong = false;

  /**
   * @param limit the longest line, in bytes
   * @param online called with each line without its end, or with undefined for a line that is too long
   */
  constructor(limit: number, online: (line: string | undefined) => void) {
    this.#limit = limit;
    this.#online = online;
  }

  /** Adds bytes. The bytes that are kept are copied, so the buffer may be reused. */
  push(chunk: Buffer): void {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      if (end < 0) break;
      this.#emit(chunk.subarray(start, end));
      start = end + 1;
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start));
  }

  /** Ends the stream: the incomplete line is the last line. */
  end(): void {
    if (this.#held > 0 || this.#tooLong) this.#emit(Buffer.alloc(0));
  }

  #hold(piece: Buffer): void {
    this.#held += piece.length;
    if (this.#held > this.#limit) this.#tooLong = true;
    if (this.#tooLong) this.#pieces.length = 0;
    else this.#pieces.push(Buffer.from(piece));
  }

  #emit(last: Buffer): void {
    const tooLong = this.#tooLong || this.#held + last.length > this.#limit;
    const line = this.#held === 0 ? last : Buffer.concat([...this.#pieces, last]);
    this.#pieces.length = 0;
    this.#held = 0;
    this.#tooLong = false;
    this.#online(tooLong ? undefined : line.toString("utf8").replace(/\r$/, ""));
  }
}
