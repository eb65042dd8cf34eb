/** Reports for tests: a healthy node, with the changes of the test. */
import type {
  ClientReport,
  FeedReport,
  GatewayReport,
  HeardReport,
  NodeReport,
  PublishedReport,
  RedisReport,
  ShardReport,
  TokensReport,
} from "../../src/admin/status/report.ts";

export function clientReport(own: Partial<ClientReport> = {}): ClientReport {
  return {
    session: "gateway1-1",
    address: "203.0.113.7",
    agent: "terminal/1.0",
    connectedFor: 60_000,
    symbols: 50,
    interval: 100,
    behind: 0.4,
    age: 48,
    roundTrip: 1.2,
    bareRoundTrip: 0.8,
    unanswered: null,
    held: 0,
    window: 32_768,
    inFlight: 900,
    ticks: 3_000,
    conflated: 0,
    reads: null,
    conflating: null,
    why: "",
    ...own,
  };
}

export function gatewayReport(own: Partial<GatewayReport> = {}): GatewayReport {
  return {
    connections: 2,
    connectionsLimit: 16_384,
    symbols: { known: 1_000, stale: 0, closed: 0 },
    rates: {
      ticksIn: 20_000,
      ticksOut: 500,
      bytesOut: 40_000,
      conflated: { feed: 0, interval: 1_500, server: 0, client: 0 },
      refused: 0,
    },
    ages: {
      p50: 45,
      p99: 98,
      mean: 50,
      stages: { source: 0.1, feed: 0.2, bus: 0.7, interval: 48, server: 0.2, client: 0.3, network: 0.5 },
    },
    lag: 0,
    waiting: 0,
    conflating: { client: 0, server: 0 },
    clients: [clientReport()],
    refused: {},
    closed: {},
    ...own,
  };
}

export function shardReport(own: Partial<ShardReport> = {}): ShardReport {
  return { shard: 0, batch: 7, age: 20, silent: false, missing: false, ...own };
}

export function heardReport(own: Partial<HeardReport> = {}): HeardReport {
  return {
    epoch: 3,
    symbols: 1_000,
    stale: 0,
    ticks: 20_000,
    transit: 0.7,
    clockSkew: 0.1,
    lastTick: 1.5,
    lastBatch: 1.5,
    silent: 0,
    shards: [shardReport(), shardReport({ shard: 1 })],
    ...own,
  };
}

export function publishedReport(own: Partial<PublishedReport> = {}): PublishedReport {
  return {
    role: "leading",
    epoch: 3,
    connected: true,
    disconnects: 0,
    symbols: 1_000,
    ticks: 20_000,
    lastTick: 1,
    skipped: {},
    ...own,
  };
}

export function feedReport(own: Partial<FeedReport> = {}): FeedReport {
  return { feed: "sim", published: null, heard: heardReport(), ...own };
}

export function redisReport(own: Partial<RedisReport> = {}): RedisReport {
  return {
    address: "redis://10.0.0.1:6379",
    connected: true,
    reason: null,
    reconnects: 0,
    roundTrip: 0.4,
    clockOffset: 0.1,
    clockUncertainty: 0.2,
    ...own,
  };
}

export function tokensReport(own: Partial<TokensReport> = {}): TokensReport {
  return {
    keysAge: 60_000,
    keysFailing: null,
    policyFailing: null,
    revocationsKnown: true,
    revocationsLeftOut: 0,
    ...own,
  };
}

export function nodeReport(own: Partial<NodeReport> = {}): NodeReport {
  return {
    reportVersion: 1,
    node: "gateway1",
    version: "1.2.3",
    pid: 4_711,
    time: 1_700_000_000_000_000,
    uptime: 3_600_000,
    unready: null,
    process: { cpu: 0.2, loop: 0.15, memory: 200_000_000, heap: 30_000_000 },
    certificate: null,
    tokens: null,
    gateway: gatewayReport(),
    feeds: [feedReport()],
    redis: redisReport(),
    workers: [],
    ...own,
  };
}
