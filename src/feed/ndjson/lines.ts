/** Cuts a stream of bytes into lines, holding no more of a line than may be in one. */

const NEWLINE = 0x0a;

export class LineSplitter {
  readonly #limit: number;
  readonly #online: (line: string | undefined) => void;
  /** The pieces of the line that has not ended yet. */
  #pieces: Buffer[] = [];
  #held = 0;
  #tooLong = false;

  /**
   * @param limit the longest line, in bytes
   * @param online is given each line without its end, or undefined in place of one that was too long
   */
  constructor(limit: number, online: (line: string | undefined) => void) {
    this.#limit = limit;
    this.#online = online;
  }

  /** The next bytes. What is kept of them is copied, so the buffer may be reused. */
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

  /** There are no more bytes: what is held is the last line, though nothing ended it. */
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
