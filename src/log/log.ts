/**
 * The log: pino, to standard error, so that standard output is the commands' own. Secrets are taken out of every line,
 * and so is what a terminal would obey: clients, venues and servers cause lines, and their words stand in them. A
 * reader that is slow or gone neither holds the process up nor ends it.
 */
import { type Logger, type LoggerOptions, pino } from "pino";
import { prettyFactory } from "pino-pretty";
import { escapeJson, printable } from "../base/printable.ts";
import type { Settings } from "../settings/settings.ts";
import { type LogOutput, LogStream, outputTo } from "./log_stream.ts";
import { secretsRemover } from "./secrets.ts";

/** The settings that the log has. */
export type LogSettings = Pick<Settings, "logLevel" | "logFormat" | "node" | "redisUrl" | "redisPassword">;

/** pino's number for a warning. */
const WARN = 40;
/** Causes of causes that are logged. */
const MOST_CAUSES = 3;

/**
 * A logger as the settings want it. What it was given last is written before the process ends.
 * @param isTerminal whether people read it as it is written
 */
export function createLog(
  settings: LogSettings,
  output: LogOutput = outputTo(2),
  isTerminal: boolean = process.stderr.isTTY,
): Logger {
  const { logLevel: level, logFormat: format, node } = settings;
  const clean = secretsRemover(settings);
  const isPretty = format === "pretty" || (format === "auto" && isTerminal);
  const shown = isPretty ? prettifier(isTerminal) : shownAsJson;
  const base = { pid: process.pid, node };
  const stream = new LogStream(output, (count) =>
    shown(`${JSON.stringify({ level: WARN, time: Date.now(), ...base, count, msg: "lines of the log were lost" })}\n`),
  );
  process.on("exit", () => stream.flushSync());
  const options: LoggerOptions = { level, base, serializers: { err: described } };
  return pino(options, {
    write: (line: string) => stream.write(shown(clean(line))),
    // pino calls it after a fatal line.
    flushSync: () => stream.flushSync(),
  } as pino.DestinationStream);
}

function prettifier(colorize: boolean): (line: string) => string {
  const pretty = prettyFactory({ colorize, ignore: "pid,node", translateTime: "HH:MM:ss.l", singleLine: true });
  // Before it is coloured.
  return (line) => pretty(shownValue(JSON.parse(line)));
}

/** A line ends with the only control character that it has. */
function shownAsJson(line: string): string {
  return `${escapeJson(line.trimEnd())}\n`;
}

/** A value of a line with its texts printable; a stack trace alone has several lines. */
function shownValue(value: unknown, key = ""): unknown {
  if (typeof value === "string") {
    return key === "stack" ? value.split("\n").map(printable).join("\n") : printable(value);
  }
  if (Array.isArray(value)) return value.map((element) => shownValue(element));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [printable(key), shownValue(member, key)]));
}

/**
 * An error as it is logged: what it is and where it came from, and nothing of what a library has attached to it, such
 * as the command that failed with its arguments.
 */
function described(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return String(error);
  const { name, message, stack, cause } = error;
  const code = "code" in error && typeof error.code === "string" ? { code: error.code } : {};
  const because = cause === undefined || depth === MOST_CAUSES ? {} : { cause: described(cause, depth + 1) };
  return { type: name, message, ...code, stack, ...because };
}
