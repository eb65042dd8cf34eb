/** A file of JSON lines to which lines are appended; a full disk loses lines, and is reported in the file later. */
import { openSync } from "node:fs";
import { UsageError } from "../settings/option.ts";
import { LogStream, outputTo } from "./log_stream.ts";

export class LineFile {
  readonly #stream: LogStream;

  /**
   * @param flag the setting that names the file, for the error
   * @throws UsageError where the file cannot be opened
   */
  constructor(path: string, flag: string) {
    let fd: number;
    try {
      fd = openSync(path, "a", 0o600);
    } catch (error) {
      throw new UsageError(`${flag} ${path} cannot be written: ${(error as Error).message}`);
    }
    this.#stream = new LogStream(outputTo(fd), (lost) => `${JSON.stringify({ event: "lost", lines: lost })}\n`);
    process.on("exit", () => this.#stream.flushSync());
  }

  write(line: object): void {
    this.#stream.write(`${JSON.stringify(line)}\n`);
  }
}
