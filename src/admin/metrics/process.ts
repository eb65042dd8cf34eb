/** The metrics of every process, besides those of prom-client. */
import type { Page } from "./page.ts";

/** @param unready why the process is not ready, or undefined when it is */
export function showProcess(page: Page, unready: () => string | undefined): void {
  page.gauge("tickgate_ready", "Whether the process is ready, as /readyz says", () =>
    unready() === undefined ? 1 : 0,
  );
  const seconds = (part: "active" | "idle") => performance.eventLoopUtilization()[part] / 1_000;
  page.counter("tickgate_event_loop_active_seconds_total", "Time that the event loop was busy", () =>
    seconds("active"),
  );
  page.counter("tickgate_event_loop_idle_seconds_total", "Time that the event loop had nothing to do", () =>
    seconds("idle"),
  );
}
