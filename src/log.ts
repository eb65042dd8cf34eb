/** The log: pino, to standard error, so that standard output is the commands' own. */
import { type Logger, pino } from "pino";
import pretty from "pino-pretty";
import type { Settings } from "./settings.ts";

/** A logger as the settings want it. It writes synchronously: the last line before an exit is not lost. */
export function createLog(settings: Pick<Settings, "logLevel" | "logFormat">): Logger {
  const { logLevel: level, logFormat: format } = settings;
  if (format === "json" || (format === "auto" && !process.stderr.isTTY))
    return pino({ level }, pino.destination({ fd: 2, sync: true }));
  return pino({ level }, pretty({ destination: 2, sync: true, ignore: "pid,hostname", translateTime: "HH:MM:ss.l" }));
}
