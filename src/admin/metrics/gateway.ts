/** The metrics of a gateway. */

import { CLOSED, STALE } from "../../base/tick.ts";
import type { HeardStream } from "../../bus/bus.ts";
import type { Bus } from "../../bus/open.ts";
import type { ChannelMarket } from "../../gateway/channel_markets.ts";
import { type GatewayCounts, STAGES } from "../../gateway/counts.ts";
import type { Gateway } from "../../gateway/gateway.ts";
import type { GatewayTable } from "../../market/gateway_table.ts";
import { channelOf } from "../../market/market_name.ts";
import { CHANNELS, type Channel } from "../../protocol/messages.ts";
import type { Page } from "./page.ts";

/** @param connectionsLimit the most connections that are accepted */
export function showGateway(page: Page, gateway: Gateway, bus: Pick<Bus, "reader">, connectionsLimit: number): void {
  const { counts, table, scheduler: pacer, encoders } = gateway;
  page.gauge("tickgate_connections", "Open connections", () => counts.connections);
  page.gauge("tickgate_connections_limit", "The most connections that are let in", () => connectionsLimit);
  page.gauge(
    "tickgate_sockets",
    "Open sockets of the clients' port: connections, upgrades under way and HTTP",
    () => gateway.sockets.count,
  );
  page.gauge("tickgate_sockets_limit", "The most sockets; new ones are closed", () => gateway.sockets.limit);
  page.gauge("tickgate_http_pending", "HTTP answers that clients have not taken yet", () => gateway.pendingResponses);
  page.gauges(
    "tickgate_connections_conflating",
    "Connections that get less than granted, by whose doing it is, as they have been told",
    "by",
    () => Object.entries(counts.conflating),
  );
  page.gauge("tickgate_subscriptions", "Symbols held by connections", () => counts.subscriptions);
  page.gauge(
    "tickgate_broadcast_connections",
    "Connections whose ticks are broadcast while the node keeps up",
    () => gateway.broadcastConnections,
  );
  page.gauge("tickgate_symbols", "Symbols that have had a tick", () => table.knownCount);
  page.gauge(
    "tickgate_stale_symbols",
    "Symbols whose feed has gone silent, of the parts of the bus that are listened to",
    () => staleSymbols(table, bus.reader().heard()),
  );
  page.gauges("tickgate_feed_stale_symbols", "The same of each feed that is heard", "feed", () =>
    staleByFeed(table, bus.reader().heard()),
  );
  page.gauge("tickgate_closed_symbols", "Symbols whose feed has ended", () => closedSymbols(table));
  page.gauges("tickgate_channel_symbols", "Symbols that have had a tick, by channel", "channel", () =>
    Array.from(gateway.markets.all, ({ name, table }) => [name, table.knownCount] as const),
  );
  page.gauge("tickgate_awaited_symbols", "Symbols that are waited for", () => table.awaitedRows);
  page.gauge("tickgate_pacer_waiting", "Subscriptions whose turn has come", () => pacer.waiting);
  page.gauge("tickgate_pacer_lag_seconds", "How late the last turn was", () => pacer.lag / 1_000);
  page.gauge("tickgate_field_lists", "Field lists whose encoded ticks are shared", () => encoders.size);
  for (const [name, help, read] of COUNTERS) page.counter(name, help, () => read(counts));
  page.counters("tickgate_channel_ticks_out_total", "Ticks sent, by channel", "channel", () =>
    ticksByChannel(gateway.markets.all),
  );
  page.counters(
    "tickgate_ticks_conflated_total",
    "Ticks left out since a newer one replaced them: by the feed before they came here, by the interval that was asked for, by a late server, by a client that reads slowly",
    "by",
    // Shares of frames are not whole numbers.
    () => Object.entries(counts.conflatedBy).map(([by, count]) => [by, Math.round(count)]),
  );
  page.counters(
    "tickgate_broadcast_stops_total",
    "Times that turns took over from the broadcast: symbols stood otherwise than before, or the node was busy",
    "reason",
    () => Object.entries(counts.broadcastStops),
  );
  page.counters("tickgate_errors_total", "Error messages sent, by code", "code", () => Object.entries(counts.errors));
  page.counters(
    "tickgate_closes_total",
    "Connections that ended, by what the gateway closed them for; client: from the other side",
    "reason",
    () => Object.entries(counts.closes),
  );
  page.counters("tickgate_refused_total", "Upgrades refused, by reason", "reason", () =>
    Object.entries(counts.refused),
  );
  page.counters("tickgate_http_refused_total", "HTTP requests refused, by reason", "reason", () =>
    Object.entries(counts.httpRefused),
  );
  page.counters(
    "tickgate_sockets_shed_total",
    "New sockets that were closed: sockets, too many are open; address, too many of one address are not upgraded",
    "reason",
    () => Object.entries(counts.socketsShed),
  );
  const { stages, age } = counts.latency;
  page.histograms(
    "tickgate_tick_stage_seconds",
    "Where the time of ticks went that have arrived at clients, by stage; together the stages are the age",
    "stage",
    () => STAGES.map((stage, index) => [stage, stages[index]]),
  );
  page.histogram(
    "tickgate_tick_age_seconds",
    "From the source's event time to the arrival at the client, ticks that have arrived, snapshots not counted",
    age,
  );
  page.histogram(
    "tickgate_round_trip_seconds",
    "From a ping to its pong, with all that was before it",
    counts.roundTrip,
  );
}

/** Bars of all resolutions are one channel. */
function ticksByChannel(markets: Iterable<ChannelMarket>): Map<string, number> {
  const sent = new Map<Channel, number>(CHANNELS.map((channel) => [channel, 0]));
  for (const { name, topics } of markets) {
    const channel = channelOf(name);
    sent.set(channel, (sent.get(channel) ?? 0) + topics.ticksOut);
  }
  return sent;
}

/** Symbols of shards that no client wants do not count: they are stale, but no client has them. */
function staleByFeed(
  { known, knownCount, state, stream }: GatewayTable,
  heard: readonly HeardStream[],
): Map<string, number> {
  const feeds = new Map(heard.map((each) => [each.stream, each.feed]));
  const stale = new Map(heard.map(({ feed }) => [feed, 0]));
  for (let index = 0; index < knownCount; index++) {
    const row = known[index];
    const feed = state[row] === STALE ? feeds.get(stream[row]) : undefined;
    if (feed !== undefined) stale.set(feed, (stale.get(feed) ?? 0) + 1);
  }
  return stale;
}

function staleSymbols(table: GatewayTable, heard: readonly HeardStream[]): number {
  let sum = 0;
  for (const count of staleByFeed(table, heard).values()) sum += count;
  return sum;
}

function closedSymbols({ known, knownCount, state }: GatewayTable): number {
  let count = 0;
  for (let index = 0; index < knownCount; index++) if (state[known[index]] === CLOSED) count++;
  return count;
}

const COUNTERS: readonly (readonly [name: string, help: string, read: (counts: GatewayCounts) => number])[] = [
  ["tickgate_connections_opened_total", "Connections opened", (c) => c.connectionsOpened],
  ["tickgate_ticks_in_total", "Ticks that publishers counted", (c) => c.ticksIn],
  ["tickgate_records_in_total", "Records that the bus delivered", (c) => c.recordsIn],
  ["tickgate_records_ignored_total", "Records that were older than what was known", (c) => c.recordsIgnored],
  ["tickgate_records_refused_total", "Records of symbols that found the market table full", (c) => c.recordsRefused],
  ["tickgate_gaps_total", "Symbols that missed ticks and were healed", (c) => c.gaps],
  ["tickgate_resets_total", "Symbols whose seq went back", (c) => c.resets],
  [
    "tickgate_ticks_missed_total",
    "Trades that clients were too slow for, or that were lost: they were told",
    (c) => c.ticksMissed,
  ],
  ["tickgate_ticks_out_total", "Ticks sent, snapshots among them", (c) => c.ticksOut],
  ["tickgate_ticks_broadcast_total", "Ticks sent that were broadcast", (c) => c.ticksBroadcast],
  ["tickgate_snapshots_out_total", "Snapshots sent", (c) => c.snapshotsOut],
  ["tickgate_ticks_confirmed_total", "Ticks that the measured ages stand for", (c) => c.latency.confirmed],
  ["tickgate_frames_out_total", "Data frames sent", (c) => c.framesOut],
  ["tickgate_bytes_out_total", "Bytes of messages sent", (c) => c.bytesOut],
  ["tickgate_control_out_total", "Control messages sent", (c) => c.controlOut],
  ["tickgate_pings_out_total", "Pings sent", (c) => c.pingsOut],
  ["tickgate_held_back_total", "Turns that found the arrival window full", (c) => c.heldBack],
  ["tickgate_commands_total", "Messages from clients", (c) => c.commands],
  ["tickgate_http_requests_total", "HTTP requests and refused upgrades", (c) => c.httpRequests],
];
