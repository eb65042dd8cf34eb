/**
 * The load: a process that holds many connections to a gateway (or to the floor, floor.ts), and does with what comes as
 * little as can be done while it is still counted. Started by bench_fanout.ts, which it talks to in messages.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { LoadConnection, type LoadTarget } from "./load_connection.ts";
import { type LoadResult, LoadTally } from "./load_tally.ts";

/** To the load: open the connections; count from now on; say what was counted. */
export type LoadOrder = { order: "open"; target: LoadTarget } | { order: "count" } | { order: "tell" };
/** From the load. */
export type LoadReport = { report: "open" } | { report: "counting" } | { report: "result"; result: LoadResult };

/** Connections that are opened at once: a few at a time, as they come in life after a restart. */
const OPENED_AT_ONCE = 50;
/** How often slow connections get the bytes that they may read, ms. */
const READ_TIME = 20;

/** The period of the timer whose lateness is measured, ms. */
const TIMER = 10;

const tally = new LoadTally();
const timer = monitorEventLoopDelay({ resolution: TIMER });
let since = { millis: 0, cpu: process.cpuUsage() };

async function open(target: LoadTarget): Promise<void> {
  const slow: LoadConnection[] = [];
  for (let first = 0; first < target.connections; first += OPENED_AT_ONCE) {
    const count = Math.min(OPENED_AT_ONCE, target.connections - first);
    const opened = Array.from({ length: count }, (_, i) => new LoadConnection(target, first + i, tally));
    await Promise.all(opened.map((connection) => connection.opened));
    slow.push(...opened.filter((connection) => connection.slow));
  }
  if (slow.length === 0) return;
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    for (const connection of slow) connection.allow(((now - last) * target.slowRate) / 1_000);
    last = now;
  }, READ_TIME);
}

function say(report: LoadReport): void {
  process.send?.(report);
}

process.on("message", async (message: LoadOrder) => {
  switch (message.order) {
    case "open":
      await open(message.target);
      return say({ report: "open" });
    case "count":
      tally.begin();
      timer.enable();
      timer.reset();
      since = { millis: performance.now(), cpu: process.cpuUsage() };
      return say({ report: "counting" });
    case "tell": {
      const { user, system } = process.cpuUsage(since.cpu);
      const late = Math.max(0, timer.percentile(99) / 1e6 - TIMER);
      return say({ report: "result", result: tally.result(performance.now() - since.millis, user + system, late) });
    }
  }
});
process.on("disconnect", () => process.exit());
