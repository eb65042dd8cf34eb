/**
 * The log: pino, on standard error, because commands print their results on standard output. Secrets and control
 * characters are removed from every line: lines contain texts of clients, venues and servers. A reader that is slow or
 * gone neither blocks the process nor ends it.
 */
import { type Logger, type LoggerOptions, pino } from "pino";
import { prettyFactory } from "pino-pretty";
import { escapeJson, printable } from "../base/printable.ts";
import type { Settings } from "../settings/settings.ts";
import { type LogOutput, LogStream, outputTo } from "./log_stream.ts";
import { type SecretSettings, secretsRemover } from "./secrets.ts";

/** The settings of the log. */
export type LogSettings = Pick<Settings, "logLevel" | "logFormat" | "node"> & SecretSettings;

/** pino's number for a warning. */
const WARN = 40;
/** The depth to which causes of an error are logged. */
const MOST_CAUSES = 3;

/**
 * Creates the logger that the settings describe. Pending lines are written before the process ends.
 * @param isTerminal whether the output is a terminal
 */
export function createLog(
  settings: LogSettings,
  output: LogOutput = outputTo(2),
  isTerminal: boolean = process.stderr.isTTY,
): Logger {
  const { logLevel: level, logFormat: format, node } = settings;
  const clean = secretsRemover(settings);
  const isPretty = format === "pretty" || (format === "auto" && isTerminal);
  const shown = isPretty ? createPrettifier(isTerminal) : printableJsonLine;
  const base = { pid: process.pid, node };
  const stream = new LogStream(output, (count) =>
    shown(`${JSON.stringify({ level: WARN, time: Date.now(), ...base, count, msg: "lines of the log were lost" })}\n`),
  );
  process.on("exit", () => stream.flushSync());
  const options: LoggerOptions = { level, base, serializers: { err: serializeError } };
  return pino(options, {
    write: (line: string) => stream.write(shown(clean(line))),
    // pino calls it after a fatal line.
    flushSync: () => stream.flushSync(),
  } as pino.DestinationStream);
}

function createPrettifier(colorize: boolean): (line: string) => string {
  const pretty = prettyFactory({ colorize, ignore: "pid,node", translateTime: "HH:MM:ss.l", singleLine: true });
  // Before colours are added, which are control characters.
  return (line) => pretty(printableValue(JSON.parse(line)));
}

/** The newline at the end is the only control character of a line. */
function printableJsonLine(line: string): string {
  return `${escapeJson(line.trimEnd())}\n`;
}

/** A value with printable texts; only a stack trace keeps its line breaks. */
function printableValue(value: unknown, key = ""): unknown {
  if (typeof value === "string") {
    return key === "stack" ? value.split("\n").map(printable).join("\n") : printable(value);
  }
  if (Array.isArray(value)) return value.map((element) => printableValue(element));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [printable(key), printableValue(member, key)]),
  );
}

/**
 * The fields of an error that are logged. Properties that libraries attach are left out, such as the arguments of a
 * failed command.
 */
function serializeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return String(error);
  const { name, message, stack, cause } = error;
  const code = "code" in error && typeof error.code === "string" ? { code: error.code } : {};
  const because = cause === undefined || depth === MOST_CAUSES ? {} : { cause: serializeError(cause, depth + 1) };
  return { type: name, message, ...code, stack, ...because };
}
