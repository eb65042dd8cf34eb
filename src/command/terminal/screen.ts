/**
 * The terminal in live mode: alternate screen, no cursor, single keys. Its state is restored however the process ends.
 */
import type { ReadStream, WriteStream } from "node:tty";

const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";

export class Screen {
  readonly #out: WriteStream;
  readonly #in: ReadStream;
  readonly #leave = () => this.leave();
  /** The lines on the screen. */
  #shown: readonly string[] = [];
  #entered = false;

  constructor(out: WriteStream, input: ReadStream) {
    this.#out = out;
    this.#in = input;
  }

  get width(): number {
    return this.#out.columns || 80;
  }

  get height(): number {
    return this.#out.rows || 24;
  }

  /**
   * Begins live mode.
   * @param key called with the typed text
   * @param resized called when the terminal has another size
   */
  enter(key: (text: string) => void, resized: () => void): void {
    this.#entered = true;
    process.on("exit", this.#leave);
    // Restore the terminal before the stack trace is printed: it would be lost with the alternate screen.
    process.on("uncaughtExceptionMonitor", this.#leave);
    this.#out.write(ENTER);
    this.#out.on("resize", () => {
      if (!this.#entered) return;
      this.#shown = [];
      this.#out.write("\x1b[2J");
      resized();
    });
    if (!this.#in.isTTY) return;
    this.#in.setRawMode(true);
    this.#in.setEncoding("utf8");
    this.#in.on("data", (text) => key(String(text)));
  }

  /** Shows lines; only changed lines are written. Nothing is written to a terminal that does not keep up. */
  draw(lines: readonly string[]): void {
    if (!this.#entered || this.#out.writableNeedDrain) return;
    let text = "";
    for (let index = 0; index < Math.max(lines.length, this.#shown.length); index++) {
      const line = lines[index] ?? "";
      // Erase before writing: after a line of full width the cursor is on its last character.
      if (line !== this.#shown[index]) text += `\x1b[${index + 1};1H\x1b[K${line}\x1b[0m`;
    }
    this.#shown = lines;
    // One synchronised update, if the terminal supports it, so that no row is half drawn.
    if (text) this.#out.write(`\x1b[?2026h${text}\x1b[?2026l`);
  }

  /** Ends live mode and restores the terminal. */
  leave(): void {
    if (!this.#entered) return;
    this.#entered = false;
    process.off("exit", this.#leave);
    process.off("uncaughtExceptionMonitor", this.#leave);
    if (this.#in.isTTY) {
      this.#in.setRawMode(false);
      this.#in.pause();
    }
    this.#out.write(LEAVE);
  }
}
