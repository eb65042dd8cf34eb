/** Settings of the log. */
import { choice } from "./option.ts";
import { EVERY, setting } from "./setting.ts";

export const LOG_SETTINGS = {
  logLevel: setting(
    EVERY,
    "log-level",
    choice("trace", "debug", "info", "warn", "error", "fatal", "silent"),
    "info",
    "What is logged, to standard error",
  ),
  logFormat: setting(
    EVERY,
    "log-format",
    choice("auto", "pretty", "json"),
    "auto",
    "How it is logged; auto is pretty on a terminal",
  ),
} as const;
