/** The signals that end a command. */
import type { Logger } from "pino";

/**
 * Signals within this time count as one, in milliseconds. Ctrl-C reaches every process of the terminal's command, and
 * the processes that started us (npm, bin/tickgate.js) forward it as well.
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
