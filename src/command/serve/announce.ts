/** What a server says on standard output when it runs, and how it ends when there is a fault of its own. */
import type { Logger } from "pino";
import { printable } from "../../base/printable.ts";
import { withoutSecrets } from "../../log/secrets.ts";

/**
 * Prints where things are. Standard output may be kept as the log is, so it holds no secrets; its reader may be gone.
 */
export function announce(lines: readonly string[]): void {
  process.stdout.on("error", () => {
    // A reader that has gone (`| head`) is none of a server's business.
  });
  process.stdout.write(`${withoutSecrets(lines.map(printable).join("\n"))}\n`);
}

/** A fault of ours is one line of the log, as everything else is, and the end: whoever supervises starts us again. */
export function endOnFault(log: Logger): void {
  process.on("uncaughtException", (error, origin) => {
    log.fatal({ err: error, origin }, "a fault of Tickgate's; ending");
    process.exit(1);
  });
}
