/** The report of a gateway: its connections, its market, and each feed that it receives. */

import { CLOSED, LIVE } from "../../base/tick.ts";
import type { HeardStream } from "../../bus/bus.ts";
import type { GatewayState } from "../../gateway/gateway.ts";
import type { GatewayTable } from "../../market/gateway_table.ts";
import type { AgesReport, GatewayRates, GatewayReport, HeardReport, SymbolsReport } from "./report.ts";
import { slowestClients } from "./slow_clients.ts";

/**
 * Rows of the market table per slice, before sockets and the bus are served again: a third of a millisecond.
 */
const SLICE = 50_000;

/** Values between two readings of the counters: rates and recent measurements. */
export interface RecentRates {
  readonly rates: GatewayRates;
  readonly ages: AgesReport | null;
}

/** The current state of a received feed. */
export type HeardFeedState = Omit<HeardReport, "ticks" | "transit" | "clockSkew">;

/** The gateway, and each feed that it receives, by name. */
export interface GatewaySummary {
  readonly gateway: GatewayReport;
  readonly heard: ReadonlyMap<string, HeardFeedState>;
}

/** The numbers of symbols of one stream, by state. */
interface StreamMarket {
  symbols: number;
  stale: number;
  closed: number;
  /** When a tick was last applied, microseconds since the Unix epoch; 0 for never. */
  appliedAt: number;
}

export async function reportGateway(state: GatewayState, lately: RecentRates): Promise<GatewaySummary> {
  const { settings, counts, scheduler, clock, bus, table, sessions } = state;
  const clients = await slowestClients(sessions, settings.statusClients, () => clock.millis());
  const markets = await countByStream(table);
  const streams = bus.heard();
  return {
    gateway: {
      connections: counts.connections,
      connectionsLimit: settings.maxConnections,
      symbols: totalOf(markets, new Set(streams.map(({ stream }) => stream))),
      ...lately,
      lag: scheduler.lag,
      waiting: scheduler.waiting,
      conflating: { ...counts.conflating },
      clients,
      refused: { ...counts.refused },
      closed: { ...counts.closes },
    },
    heard: feedsOf(streams, markets, clock.millis(), clock.micros()),
  };
}

/** Counts the symbols with at least one tick, by stream and state. */
async function countByStream(table: GatewayTable): Promise<Map<number, StreamMarket>> {
  const markets = new Map<number, StreamMarket>();
  for (let index = 0; index < table.knownCount; index++) {
    if (index % SLICE === SLICE - 1) await new Promise((resolve) => setImmediate(resolve));
    const row = table.known[index];
    const stream = table.stream[row];
    let market = markets.get(stream);
    if (!market) {
      market = { symbols: 0, stale: 0, closed: 0, appliedAt: 0 };
      markets.set(stream, market);
    }
    market.symbols++;
    if (table.state[row] === CLOSED) market.closed++;
    else if (table.state[row] !== LIVE) market.stale++;
    market.appliedAt = Math.max(market.appliedAt, table.appliedAt[row]);
  }
  return markets;
}

/**
 * @param followed the streams that are followed: the stale symbols of others do not count, because no client has them
 */
function totalOf(markets: ReadonlyMap<number, StreamMarket>, followed: ReadonlySet<number>): SymbolsReport {
  const total = { known: 0, stale: 0, closed: 0 };
  for (const [stream, { symbols, stale, closed }] of markets) {
    total.known += symbols;
    if (followed.has(stream)) total.stale += stale;
    total.closed += closed;
  }
  return total;
}

/** @param now milliseconds of the clock @param micros the same moment as wall time */
function feedsOf(
  streams: readonly HeardStream[],
  markets: ReadonlyMap<number, StreamMarket>,
  now: number,
  micros: number,
): Map<string, HeardFeedState> {
  const feeds = new Map<string, HeardFeedState>();
  for (const [feed, own] of Map.groupBy(streams, (stream) => stream.feed)) {
    const parts = own.map(({ stream }) => markets.get(stream)).filter((part) => part !== undefined);
    const appliedAt = Math.max(0, ...parts.map((part) => part.appliedAt));
    feeds.set(feed, {
      epoch: Math.max(...own.map(({ epoch }) => epoch)),
      symbols: parts.reduce((sum, part) => sum + part.symbols, 0),
      stale: parts.reduce((sum, part) => sum + part.stale, 0),
      lastTick: appliedAt === 0 ? null : Math.max(0, (micros - appliedAt) / 1_000),
      lastBatch: Math.max(0, now - Math.max(...own.map(({ heardAt }) => heardAt))),
      silent: own.filter(({ isSilent }) => isSilent).length,
      shards: own.map(({ shard, batch, heardAt, isSilent, isMissing }) => ({
        shard,
        batch,
        age: Math.max(0, now - heardAt),
        silent: isSilent,
        missing: isMissing,
      })),
    });
  }
  return feeds;
}
