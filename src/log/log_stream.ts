/**
 * Writes the log to a file descriptor whose reader may be slow or gone, or whose disk may be full. The process neither
 * waits nor fails. Lines that do not fit are counted, and the count is written first when there is room again.
 *
 * pino's own destination (sonic-boom 4.2.1) does not cover this: after EPIPE or ENOSPC its `flushSync` retries without
 * end, so the process could not exit, and with `sync: true` a slow reader blocks the event loop.
 */
import { write, writeSync } from "node:fs";

/** The most characters that wait to be written: minutes of an ordinary log. */
const MAX_PENDING = 1_048_576;
/** The delay of a retry when the reader accepts nothing, ms. */
const RETRY_DELAY = 100;
/** The most attempts at the end of the process. */
const FINAL_ATTEMPTS = 10;

/** The system calls, replaceable in tests. */
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
  #pending = "";
  #lines = 0;
  #isScheduled = false;
  #isWriting = false;
  /** Lines that were lost and are not reported yet. */
  #dropped = 0;

  /** @param lostLine creates the line that reports how many were lost */
  constructor(output: LogOutput, lostLine: (count: number) => string) {
    this.#output = output;
    this.#lostLine = lostLine;
  }

  /** Queues a line. It is written after the current task, together with the other lines of that task. */
  write(line: string): void {
    if (this.#pending.length + line.length > MAX_PENDING) {
      this.#dropped++;
      return;
    }
    this.#pending += line;
    this.#lines++;
    if (this.#isScheduled || this.#isWriting) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      if (!this.#isWriting) this.#writeNext();
    });
  }

  /** Writes the pending lines synchronously, as far as the reader accepts them: the process is about to end. */
  flushSync(): void {
    let { text } = this.#takePending();
    for (let tries = 0; text.length > 0 && tries < FINAL_ATTEMPTS; tries++) {
      try {
        text = text.subarray(this.#output.writeSync(text));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
      }
    }
  }

  /** Takes the pending text, and the number of lines that are lost if it cannot be written. */
  #takePending(): { text: Buffer; lines: number } {
    if (this.#pending === "") return { text: Buffer.alloc(0), lines: 0 };
    const text = Buffer.from((this.#dropped > 0 ? this.#lostLine(this.#dropped) : "") + this.#pending);
    const lines = this.#dropped + this.#lines;
    this.#pending = "";
    this.#dropped = this.#lines = 0;
    return { text, lines };
  }

  #writeNext(): void {
    const { text, lines } = this.#takePending();
    if (text.length > 0) this.#write(text, lines);
  }

  #write(text: Buffer, lines: number): void {
    this.#isWriting = true;
    this.#output.write(text, (error, written) => {
      if (error?.code === "EAGAIN") {
        setTimeout(() => this.#write(text, lines), RETRY_DELAY).unref();
        return;
      }
      // The reader is gone or the disk is full: the error cannot be reported. The next line is tried all the same.
      if (error) this.#dropped += lines;
      else if (written < text.length) return this.#write(text.subarray(written), lines);
      this.#isWriting = false;
      this.#writeNext();
    });
  }
}
