/** Puts together what a process tells of itself, from its parts. */
import type { Bus } from "../bus/open.ts";
import type { Clock } from "../clock.ts";
import type { RunningFeed } from "../feed/running.ts";
import type { Gateway } from "../gateway/gateway.ts";
import { VERSION } from "../version.ts";
import { Rates } from "./rates.ts";
import {
  type FeedReport,
  type GatewayRates,
  type HeardReport,
  type NodeReport,
  type ProcessReport,
  REPORT_VERSION,
} from "./report.ts";

/** For how long a report is given to whoever asks, ms: many who look cost as much as one. */
const KEPT = 200;

/** What there is to tell of. */
export interface ReporterParts {
  readonly node: string;
  readonly clock: Clock;
  readonly gateway: Gateway | undefined;
  readonly feeds: readonly RunningFeed[];
  readonly bus: Bus;
  /** Why the process is not ready, or undefined when it is. */
  unready(): string | undefined;
}

export class Reporter {
  readonly #parts: ReporterParts;
  readonly #rates: Rates;
  #report: Promise<NodeReport> | undefined;
  #madeAt = Number.NEGATIVE_INFINITY;

  constructor(parts: ReporterParts) {
    this.#parts = parts;
    this.#rates = new Rates(parts.clock, () => this.#counters());
  }

  start(): void {
    this.#rates.start();
  }

  close(): void {
    this.#rates.close();
  }

  /** The process as it is, or was a moment ago. */
  report(): Promise<NodeReport> {
    const now = this.#parts.clock.millis();
    if (this.#report === undefined || now - this.#madeAt >= KEPT) {
      this.#madeAt = now;
      this.#report = this.#make();
    }
    return this.#report;
  }

  async #make(): Promise<NodeReport> {
    const { node, clock, gateway, bus } = this.#parts;
    const rates = this.#rates.perSecond();
    const view = await gateway?.report(gatewayRates(rates));
    return {
      reportVersion: REPORT_VERSION,
      node,
      version: VERSION,
      pid: process.pid,
      time: clock.micros(),
      uptime: process.uptime() * 1_000,
      unready: this.#parts.unready() ?? null,
      process: processReport(rates),
      gateway: view?.gateway ?? null,
      feeds: this.#feeds(view?.heard ?? new Map(), rates),
      redis: bus.redis() ?? null,
      workers: [],
    };
  }

  #feeds(heard: ReadonlyMap<string, HeardReport>, rates: Record<string, number>): FeedReport[] {
    const { feeds, bus, clock } = this.#parts;
    const writers = bus.writers();
    const own = new Map(feeds.map((feed) => [feed.name, feed]));
    const names = [...new Set([...own.keys(), ...heard.keys()])].sort();
    return names.map((name) => {
      const writer = writers.get(name);
      const published = own.get(name)?.report(clock.micros());
      return {
        feed: name,
        published: published
          ? {
              role: writer?.role ?? "leading",
              epoch: writer?.epoch ?? null,
              ...published,
              ticks: rates[feedCounter(name)] ?? 0,
            }
          : null,
        heard: heard.get(name) ?? null,
      };
    });
  }

  /** All that is counted, by name. */
  #counters(): Record<string, number> {
    const { user, system } = process.cpuUsage();
    const counters: Record<string, number> = {
      cpu: (user + system) / 1_000_000,
      loop: performance.eventLoopUtilization().active / 1_000,
    };
    for (const { name, counts } of this.#parts.feeds) counters[feedCounter(name)] = counts.ticks;
    const counts = this.#parts.gateway?.counts;
    if (!counts) return counters;
    counters.ticksIn = counts.ticksIn;
    counters.ticksOut = counts.ticksOut;
    counters.bytesOut = counts.bytesOut;
    counters.conflated = counts.ticksConflated;
    counters.refused = Object.values(counts.refused).reduce((sum, count) => sum + count, 0);
    return counters;
  }
}

function feedCounter(name: string): string {
  return `feed ${name}`;
}

function gatewayRates(rates: Record<string, number>): GatewayRates {
  const { ticksIn, ticksOut, bytesOut, conflated, refused } = rates;
  return { ticksIn, ticksOut, bytesOut, conflated, refused };
}

/** How the process does. @param rates of its counters, a second */
export function processReport(rates: Record<string, number>): ProcessReport {
  const { rss, heapUsed } = process.memoryUsage();
  return { cpu: rates.cpu, loop: Math.min(1, rates.loop), memory: rss, heap: heapUsed };
}
