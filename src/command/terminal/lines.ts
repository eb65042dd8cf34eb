/** Writes lines of commands on standard output and standard error. The lines may contain texts from outside. */
import { printable } from "../../base/printable.ts";

/** The longest note: a server's error may have megabytes. */
const LONGEST_NOTE = 1_000;

/** Writes lines on standard output. */
export function print(lines: readonly string[]): void {
  process.stdout.write(`${lines.map(printable).join("\n")}\n`);
}

/** Writes a note in one line on standard error. */
export function say(text: string): void {
  const note = text.length > LONGEST_NOTE ? `${text.slice(0, LONGEST_NOTE)}…` : text;
  process.stderr.write(`tickgate: ${printable(note)}\n`);
}
