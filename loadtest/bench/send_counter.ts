/** Shared by the reference servers: work at a given rate, counting frames, and messages to the parent process. */

/** The longest delay that is caught up with, ms. */
const MAX_CATCH_UP = 100;

/** Orders from the parent: start measuring; report the result. */
export type CountOrder = { order: "count" } | { order: "report" };
/** Reports to the parent. */
export type CountReport =
  | { report: "serving"; port: number }
  | { report: "counting" }
  | { report: "result"; frames: number; cpuSeconds: number };

/** The result of `send` for a dropped frame. */
const DROPPED = 2;

export class SendCounter {
  #frames = 0;
  #framesAtStart = 0;
  #cpuAtStart = process.cpuUsage();

  /** Counts a frame, unless `send` returned that it was dropped. */
  sent(result: number): void {
    if (result !== DROPPED) this.#frames++;
  }

  /** Handles an order. */
  handle({ order }: CountOrder): void {
    if (order === "count") {
      this.#framesAtStart = this.#frames;
      this.#cpuAtStart = process.cpuUsage();
      return sendReport({ report: "counting" });
    }
    const { user, system } = process.cpuUsage(this.#cpuAtStart);
    const cpuSeconds = (user + system) / 1_000_000;
    sendReport({ report: "result", frames: this.#frames - this.#framesAtStart, cpuSeconds });
  }
}

/**
 * Calls `act` at a rate that does not depend on the timer's precision.
 * @param period of the timer, ms
 * @param most calls per timer
 */
export function repeatAtRate(
  period: number,
  perSecond: () => number,
  act: () => void,
  most = () => Number.POSITIVE_INFINITY,
) {
  let due = 0;
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    due = Math.min(most(), due + (Math.min(now - last, MAX_CATCH_UP) * perSecond()) / 1_000);
    last = now;
    for (; due >= 1; due--) act();
  }, period);
}

/** Sends a report to the parent. */
export function sendReport(report: CountReport): void {
  process.send?.(report);
}
