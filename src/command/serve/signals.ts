/** How a person or a supervisor ends a command. */
import type { Logger } from "pino";

/**
 * Signals in this many milliseconds are one. Ctrl-C reaches every process of the terminal's command, and those that
 * started us (npm, bin/tickgate.js) pass on what they get.
 */
export const SAME_SIGNAL = 500;

/** Resolves on the first SIGTERM or SIGINT; the second one ends the process at once. */
export function untilSignal(log: Logger): Promise<void> {
  return new Promise((resolve) => {
    let first: number | undefined;
    const onSignal = (signal: NodeJS.Signals) => {
      if (first !== undefined) {
        if (performance.now() - first > SAME_SIGNAL) process.exit(1);
        return;
      }
      first = performance.now();
      log.info({ signal }, "ending; one more signal ends at once");
      resolve();
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
}
