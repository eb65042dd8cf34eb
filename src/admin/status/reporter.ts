/** Creates the report of a process from its parts. */

import type { Clock } from "../../base/clock.ts";
import { VERSION } from "../../base/version.ts";
import type { Bus } from "../../bus/open.ts";
import type { RunningFeed } from "../../feed/running_feed.ts";
import type { Gateway } from "../../gateway/gateway.ts";
import type { TlsCertificate } from "../../gateway/http/tls_certificate.ts";
import type { RunningAuthority } from "../../identity/authority.ts";
import {
  agesOf,
  gatewayRates,
  heardOf,
  madeBy,
  meanOf,
  type PerSecond,
  processReport,
  REDIS_TRIP,
  readCounters,
  transitOf,
} from "./counters.ts";
import { type HeardFeedState, reportGateway } from "./gateway_report.ts";
import { Rates } from "./rates.ts";
import {
  type CertificateReport,
  type FeedReport,
  type HeardReport,
  type NodeReport,
  type PublishedReport,
  REPORT_VERSION,
  type RedisReport,
  type TokensReport,
} from "./report.ts";

/** How long a report is reused, ms: many readers cost as much as one. */
const CACHE_TIME = 200;
const MICROS = 1_000;

/** The parts of a process that the report describes. */
export interface ReporterParts {
  readonly node: string;
  readonly clock: Clock;
  readonly gateway: Gateway | undefined;
  readonly certificate: TlsCertificate | undefined;
  readonly identity: RunningAuthority | undefined;
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
    const { gateway, feeds, bus, clock } = parts;
    this.#parts = parts;
    this.#rates = new Rates(clock, () => readCounters(gateway, feeds, bus));
  }

  start(): void {
    this.#rates.start();
  }

  close(): void {
    this.#rates.close();
  }

  /** The current report, or one that is at most {@link CACHE_TIME} old. */
  report(): Promise<NodeReport> {
    const now = this.#parts.clock.millis();
    if (this.#report === undefined || now - this.#madeAt >= CACHE_TIME) {
      this.#madeAt = now;
      this.#report = this.#createReport();
    }
    return this.#report;
  }

  async #createReport(): Promise<NodeReport> {
    const { node, clock, gateway } = this.#parts;
    const rates = this.#rates.perSecond();
    const lately = { rates: gatewayRates(rates), ages: agesOf(rates) };
    const view = gateway && (await reportGateway(gateway.state, lately));
    return {
      reportVersion: REPORT_VERSION,
      node,
      version: VERSION,
      pid: process.pid,
      time: clock.micros(),
      uptime: process.uptime() * 1_000,
      unready: this.#parts.unready() ?? null,
      process: processReport(rates),
      certificate: this.#reportCertificate(),
      tokens: this.#reportTokens(),
      gateway: view?.gateway ?? null,
      feeds: this.#reportFeeds(view?.heard ?? new Map(), rates),
      redis: this.#reportRedis(rates),
      workers: [],
    };
  }

  #reportCertificate(): CertificateReport | null {
    const { certificate } = this.#parts;
    return certificate ? { expires: certificate.pair.expiresAt * MICROS, left: certificate.secondsLeft * 1_000 } : null;
  }

  #reportTokens(): TokensReport | null {
    const { identity, clock } = this.#parts;
    if (!identity?.readsTokens) return null;
    const { counts, revocations } = identity;
    const since = (time: number | undefined) => (time === undefined ? null : clock.millis() - time);
    return {
      keysAge: since(counts.keys.readAt),
      keysFailing: since(counts.keys.failingSince),
      policyFailing: since(counts.policy.failingSince),
      revocationsKnown: revocations?.isKnown ?? true,
      revocationsLeftOut: revocations?.leftOut ?? 0,
    };
  }

  #reportFeeds(heard: ReadonlyMap<string, HeardFeedState>, rates: PerSecond): FeedReport[] {
    const own = new Map(this.#parts.feeds.map((feed) => [feed.name, this.#reportPublished(feed, rates)]));
    const skews = new Map(Array.from(this.#parts.bus.heardFeeds(), ({ name, skew }) => [name, skew]));
    const hear = (feed: string, now: HeardFeedState): HeardReport => ({
      ...now,
      ticks: rates[heardOf(feed)] ?? 0,
      transit: meanOf(transitOf(feed), rates),
      clockSkew: known((skews.get(feed) ?? Number.NaN) / MICROS),
    });
    const names = [...new Set([...own.keys(), ...heard.keys()])].sort();
    return names.map((feed) => {
      const now = heard.get(feed);
      return { feed, published: own.get(feed) ?? null, heard: now ? hear(feed, now) : null };
    });
  }

  #reportPublished({ name, counts, connected, symbols }: RunningFeed, rates: PerSecond): PublishedReport {
    const { bus, clock } = this.#parts;
    const writer = bus.writers().get(name);
    const lastTick = known((clock.micros() - counts.lastTick) / MICROS);
    return {
      role: writer?.role ?? "leading",
      epoch: writer?.epoch ?? null,
      connected,
      disconnects: counts.disconnects,
      symbols,
      ticks: rates[madeBy(name)] ?? 0,
      lastTick: lastTick === null ? null : Math.max(0, lastTick),
      skipped: { ...counts.skipped },
    };
  }

  #reportRedis(rates: PerSecond): RedisReport | null {
    const links = this.#parts.bus.links();
    if (links.length === 0) return null;
    const [{ name, offset }] = links;
    const lost = links.find(({ isUp }) => !isUp);
    return {
      address: name,
      connected: lost === undefined,
      reason: lost ? lost.lastError || "connecting" : null,
      reconnects: links.reduce((sum, { reconnects }) => sum + reconnects, 0),
      roundTrip: meanOf(REDIS_TRIP, rates),
      clockOffset: known(offset.offset / MICROS),
      clockUncertainty: known(offset.uncertainty / MICROS),
    };
  }
}

/** Unknown values are NaN in the counters and null in the report. */
function known(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
