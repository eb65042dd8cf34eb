/** How a person or a supervisor ends a command. */
import type { Logger } from "pino";

/** Resolves on the first SIGTERM or SIGINT; the second one ends the process at once. */
export function untilSignal(log: Logger): Promise<void> {
  return new Promise((resolve) => {
    let signals = 0;
    const onSignal = (signal: NodeJS.Signals) => {
      if (++signals > 1) process.exit(1);
      log.info({ signal }, "ending; one more signal ends at once");
      resolve();
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
}
