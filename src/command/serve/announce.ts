/** The start message of a server on standard output, and its end after an internal fault. */
import type { Logger } from "pino";
import { printable } from "../../base/printable.ts";
import { withoutSecrets } from "../../log/secrets.ts";

/**
 * Prints the addresses of a server. Standard output may be stored like a log, so secrets are removed; its reader may be
 * gone.
 */
export function announce(lines: readonly string[]): void {
  process.stdout.on("error", () => {
    // A reader that closed the pipe (`| head`) is no error of a server.
  });
  process.stdout.write(`${withoutSecrets(lines.map(printable).join("\n"))}\n`);
}

/** An internal fault is logged as one line and ends the process: the supervisor starts it again. */
export function endOnFault(log: Logger): void {
  process.on("uncaughtException", (error, origin) => {
    log.fatal({ err: error, origin }, "a fault of Tickgate's; ending");
    process.exit(1);
  });
}
