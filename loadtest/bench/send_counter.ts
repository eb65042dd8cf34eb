/** What servers that a gateway is compared with share: so many sends a second, what they took, and how the parent asks for it. */

/** The longest time that is caught up with, ms, where a server was held up. */
const MAX_CATCH_UP = 100;

/** To such a server, besides what it is to serve: measure from now on; say what was measured. */
export type CountOrder = { order: "count" } | { order: "tell" };
/** From it. */
export type CountReport =
  | { report: "serving"; port: number }
  | { report: "counting" }
  | { report: "result"; frames: number; cpuSeconds: number };

/** What a socket's `send` answers where it has sent nothing. */
const DROPPED = 2;

export class SendCounter {
  #frames = 0;
  #framesAtStart = 0;
  #cpuAtStart = process.cpuUsage();

  /** A frame was given to a socket, which answered that. */
  sent(answer: number): void {
    if (answer !== DROPPED) this.#frames++;
  }

  /** Obeys. */
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
 * Does something so many times a second, whatever the timer does.
 * @param period how often some of it is done, ms
 * @param most how often at once, however much is owed
 */
export function repeatAtRate(
  period: number,
  perSecond: () => number,
  act: () => void,
  most = () => Number.POSITIVE_INFINITY,
) {
  let owed = 0;
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    owed = Math.min(most(), owed + (Math.min(now - last, MAX_CATCH_UP) * perSecond()) / 1_000);
    last = now;
    for (; owed >= 1; owed--) act();
  }, period);
}

/** Tells the parent. */
export function sendReport(report: CountReport): void {
  process.send?.(report);
}
