/** The tables of `tickgate top`: nodes, feeds and clients. */
import { amount, bytes, duration, percent, whole } from "../../admin/status/format.ts";
import type { ClientReport, FeedReport, NodeReport } from "../../admin/status/report.ts";
import type { Settings } from "../../settings/settings.ts";
import type { FittedColumn } from "../terminal/fit.ts";
import type { TopNode } from "./node.ts";

/** The colour of a cell. */
export type Mood = "good" | "warn" | "bad" | undefined;

export interface TopColumn<Row> extends FittedColumn {
  text(row: Row): string;
  mood?(row: Row): Mood;
}

/** The text of an empty cell. */
const NONE = "-";

/** The last report of a node that no longer answers is not current. */
function ofReport(read: (report: NodeReport) => string): (node: TopNode) => string {
  return ({ report, failure: silence }) => (report && silence === undefined ? read(report) : NONE);
}

type Gateway = NonNullable<NodeReport["gateway"]>;

function ofGateway(read: (gateway: Gateway) => string): (node: TopNode) => string {
  return ofReport(({ gateway }) => (gateway ? read(gateway) : NONE));
}

function whileItAnswers(mood: (report: NodeReport) => Mood): (node: TopNode) => Mood {
  return ({ report, failure: silence }) => (report && silence === undefined ? mood(report) : undefined);
}

export const NODE_COLUMNS: readonly TopColumn<TopNode>[] = [
  { title: "node", rank: 0, left: true, text: ({ name }) => name },
  { title: "state", rank: 0, left: true, text: stateOf, mood: moodOf },
  { title: "up", rank: 11, text: ofReport(({ uptime }) => duration(uptime)) },
  { title: "CPU", rank: 4, text: ofReport(({ process }) => percent(process.cpu)) },
  {
    title: "loop",
    rank: 2,
    text: ofReport(({ process }) => percent(process.loop)),
    mood: whileItAnswers(({ process }) => (process.loop >= 0.95 ? "bad" : undefined)),
  },
  { title: "memory", rank: 6, text: ofReport(({ process }) => bytes(process.memory)) },
  {
    title: "connections",
    rank: 1,
    text: ofGateway(({ connections, connectionsLimit }) => `${whole(connections)}/${whole(connectionsLimit)}`),
  },
  { title: "age p50", rank: 8, text: ofGateway(({ ages }) => (ages ? duration(ages.p50) : NONE)) },
  { title: "p99", rank: 4, text: ofGateway(({ ages }) => (ages ? duration(ages.p99) : NONE)) },
  { title: "in/s", rank: 7, text: ofReport(ticksIn) },
  { title: "out/s", rank: 5, text: ofGateway(({ rates }) => amount(rates.ticksOut)) },
  { title: "bytes/s", rank: 12, text: ofGateway(({ rates }) => bytes(rates.bytesOut)) },
  { title: "conflated/s", rank: 9, text: ofGateway(conflated) },
  {
    title: "slow",
    rank: 3,
    text: ofGateway(({ conflating }) => whole(conflating.client + conflating.server)),
    mood: whileItAnswers(({ gateway }) => (gateway && slow(gateway) > 0 ? "warn" : undefined)),
  },
  { title: "late", rank: 8, text: ofGateway(({ lag }) => duration(lag)) },
  {
    title: "stale",
    rank: 10,
    text: ofGateway(({ symbols }) => whole(symbols.stale)),
    mood: whileItAnswers(({ gateway }) => ((gateway?.symbols.stale ?? 0) > 0 ? "warn" : undefined)),
  },
];

function conflated({ rates }: Gateway): string {
  return amount(Object.values(rates.conflated).reduce((sum, rate) => sum + rate, 0));
}

function slow({ conflating }: Gateway): number {
  return conflating.client + conflating.server;
}

function stateOf({ report, failure: silence }: TopNode): string {
  if (silence !== undefined) return "NO ANSWER";
  if (report && report.unready !== null) return "NOT READY";
  return "ready";
}

function moodOf(node: TopNode): Mood {
  return stateOf(node) === "ready" ? "good" : "bad";
}

/** A gateway receives ticks, a feed publishes them. */
function ticksIn({ gateway, feeds }: NodeReport): string {
  if (gateway) return amount(gateway.rates.ticksIn);
  return amount(feeds.reduce((sum, { published }) => sum + (published?.ticks ?? 0), 0));
}

/** A feed as one node publishes or receives it. */
export interface FeedRow extends FeedReport {
  readonly node: string;
}

export const FEED_COLUMNS: readonly TopColumn<FeedRow>[] = [
  { title: "feed", rank: 0, left: true, text: ({ feed }) => feed },
  { title: "at", rank: 0, left: true, text: ({ node }) => node },
  {
    title: "role",
    rank: 1,
    left: true,
    text: ({ published, heard }) => [published?.role ?? "", heard ? "heard" : ""].filter(Boolean).join(", "),
    mood: ({ published }) =>
      published?.role === "waiting" ? "bad" : published?.role === "leading" ? "good" : undefined,
  },
  {
    title: "source",
    rank: 2,
    left: true,
    text: ({ published }) =>
      published?.connected === false ? "NOT CONNECTED" : published?.connected ? "connected" : NONE,
    mood: ({ published }) => (published?.connected === false ? "bad" : undefined),
  },
  { title: "symbols", rank: 7, text: ({ published, heard }) => whole(heard?.symbols ?? published?.symbols ?? 0) },
  {
    title: "stale",
    rank: 6,
    text: ({ heard }) => (heard ? whole(heard.stale) : NONE),
    mood: ({ heard }) => (heard && heard.stale > 0 ? "warn" : undefined),
  },
  { title: "ticks/s", rank: 3, text: ({ published, heard }) => amount((published ?? heard)?.ticks ?? 0) },
  { title: "bus", rank: 9, text: ({ heard }) => ago(heard?.transit ?? null) },
  { title: "last tick", rank: 4, text: ({ published, heard }) => ago((heard ?? published)?.lastTick ?? null) },
  { title: "last batch", rank: 8, text: ({ heard }) => ago(heard?.lastBatch ?? null) },
  {
    title: "silent shards",
    rank: 5,
    text: ({ heard }) => (heard ? `${heard.silent} of ${heard.shards.length}` : NONE),
    mood: ({ heard }) => (heard && heard.silent > 0 ? "bad" : undefined),
  },
];

export const CLIENT_COLUMNS: readonly TopColumn<ClientReport>[] = [
  {
    title: "behind",
    rank: 0,
    text: ({ behind }) => duration(behind),
    mood: ({ why }) => (why === "" ? undefined : "bad"),
  },
  { title: "address", rank: 0, left: true, text: ({ address }) => address },
  { title: "user agent", rank: 3, left: true, text: ({ agent }) => agent.slice(0, 32) || NONE },
  { title: "what is wrong", rank: 1, left: true, elastic: true, text: ({ why }) => why },
  { title: "age", rank: 4, text: ({ age }) => (age === null ? NONE : duration(age)) },
  { title: "round trip", rank: 2, text: ({ roundTrip }) => (roundTrip === null ? NONE : duration(roundTrip)) },
  { title: "bare", rank: 11, text: ({ bareRoundTrip }) => (bareRoundTrip === null ? NONE : duration(bareRoundTrip)) },
  { title: "on its way", rank: 6, text: ({ inFlight }) => bytes(inFlight) },
  { title: "window", rank: 12, text: ({ window }) => bytes(window) },
  { title: "conflated", rank: 7, text: ({ ticks, conflated }) => percent(conflated / Math.max(1, ticks + conflated)) },
  { title: "symbols", rank: 8, text: ({ symbols }) => whole(symbols) },
  { title: "interval", rank: 9, text: ({ interval }) => (interval === null ? NONE : `${whole(interval)} ms`) },
  { title: "connected", rank: 10, text: ({ connectedFor }) => duration(connectedFor) },
  { title: "session", rank: 5, left: true, text: ({ session }) => session },
];

/** The orders of clients: by which value, the largest first. */
export type ClientOrder = Settings["topSort"];
export const CLIENT_ORDERS: Readonly<Record<ClientOrder, (client: ClientReport) => number>> = {
  behind: ({ behind }) => behind,
  trip: ({ roundTrip }) => roundTrip ?? 0,
  sent: ({ inFlight }) => inFlight,
  symbols: ({ symbols }) => symbols,
  connected: ({ connectedFor }) => connectedFor,
};

function ago(millis: number | null): string {
  return millis === null ? NONE : duration(millis);
}
