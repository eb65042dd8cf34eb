/** A log whose lines a test reads. */
import { type Logger, pino } from "pino";

export interface LogLine {
  readonly msg: string;
  readonly level: number;
  readonly [field: string]: unknown;
}

export function logLines(): { readonly log: Logger; readonly lines: LogLine[]; messages(): string[] } {
  const lines: LogLine[] = [];
  const log = pino({ base: null }, { write: (text: string) => void lines.push(JSON.parse(text)) });
  return { log, lines, messages: () => lines.map(({ msg }) => msg) };
}
