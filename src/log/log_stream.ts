/**
 * Where the log is written: a file descriptor whose reader may be slow, or gone, or out of space. The process neither
 * waits for it nor fails with it; lines that find no room are counted, and the count is the first thing written when
 * there is room again.
 */
import { write, writeSync } from "node:fs";

/** What may wait to be written, characters: minutes of an ordinary log. */
const MOST_WAITING = 1_048_576;
/** How soon it is tried again when the other end takes nothing, ms. */
const RETRY = 100;
/** How often it is tried at the end of the process. */
const LAST_TRIES = 10;

/** The system's calls, for tests. */
export interface LogOutput {
  write(text: Buffer, done: (error: NodeJS.ErrnoException | null, written: number) => void): void;
  writeSync(text: Buffer): number;
}

/** @param fd an open file descriptor */
export function outputTo(fd: number): LogOutput {
  return {
    write: (text, done) => write(fd, text, done),
    writeSync: (text) => writeSync(fd, text),
  };
}

export class LogStream {
  readonly #output: LogOutput;
  readonly #lostLine: (count: number) => string;
  #waiting = "";
  #lines = 0;
  #isScheduled = false;
  #isWriting = false;
  /** Lines that are lost, and nobody has been told of. */
  #lost = 0;

  /** @param lostLine makes the line that says how many were lost */
  constructor(output: LogOutput, lostLine: (count: number) => string) {
    this.#output = output;
    this.#lostLine = lostLine;
  }

  /** Takes a line; it is written when what is being done has been done, and with it what else there is then. */
  write(line: string): void {
    if (this.#waiting.length + line.length > MOST_WAITING) {
      this.#lost++;
      return;
    }
    this.#waiting += line;
    this.#lines++;
    if (this.#isScheduled || this.#isWriting) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      if (!this.#isWriting) this.#writeNext();
    });
  }

  /** Writes what waits before it returns, or as much as is taken: the process is about to end. */
  flushSync(): void {
    let { text } = this.#take();
    for (let tries = 0; text.length > 0 && tries < LAST_TRIES; tries++) {
      try {
        text = text.subarray(this.#output.writeSync(text));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
      }
    }
  }

  /** What waits, and how many lines are lost should it not be taken. */
  #take(): { text: Buffer; lines: number } {
    if (this.#waiting === "") return { text: Buffer.alloc(0), lines: 0 };
    const text = Buffer.from((this.#lost > 0 ? this.#lostLine(this.#lost) : "") + this.#waiting);
    const lines = this.#lost + this.#lines;
    this.#waiting = "";
    this.#lost = this.#lines = 0;
    return { text, lines };
  }

  #writeNext(): void {
    const { text, lines } = this.#take();
    if (text.length > 0) this.#write(text, lines);
  }

  #write(text: Buffer, lines: number): void {
    this.#isWriting = true;
    this.#output.write(text, (error, written) => {
      if (error?.code === "EAGAIN") {
        setTimeout(() => this.#write(text, lines), RETRY).unref();
        return;
      }
      // A reader that has gone, a full disk: there is nobody to tell. The next line is tried all the same.
      if (error) this.#lost += lines;
      else if (written < text.length) return this.#write(text.subarray(written), lines);
      this.#isWriting = false;
      this.#writeNext();
    });
  }
}
