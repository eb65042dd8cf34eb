/** What a server that is compared with has sent, and what it took; how its parent asks for it. */

/** To such a server, besides what it is to serve: measure from now on; say what was measured. */
export type CountOrder = { order: "count" } | { order: "tell" };
/** From it. */
export type CountReport =
  | { report: "serving"; port: number }
  | { report: "counting" }
  | { report: "result"; frames: number; cpuSeconds: number };

export class SendCounter {
  frames = 0;
  #framesAtStart = 0;
  #cpuAtStart = process.cpuUsage();

  /** Obeys. */
  obey({ order }: CountOrder): void {
    if (order === "count") {
      this.#framesAtStart = this.frames;
      this.#cpuAtStart = process.cpuUsage();
      return say({ report: "counting" });
    }
    const { user, system } = process.cpuUsage(this.#cpuAtStart);
    const cpuSeconds = (user + system) / 1_000_000;
    say({ report: "result", frames: this.frames - this.#framesAtStart, cpuSeconds });
  }
}

/** Tells the parent. */
export function say(report: CountReport): void {
  process.send?.(report);
}
