/** The metrics of the bus: the feeds that a process receives, and its connections to Redis. */

import type { Bus } from "../../bus/open.ts";
import type { ReaderCounts } from "../../bus/redis/reading/reader_counts.ts";
import type { RedisWriter } from "../../bus/redis/writing/writer.ts";
import type { WriterCounts } from "../../bus/redis/writing/writer_counts.ts";
import type { HeardFeed } from "../../market/heard_feed.ts";
import type { Page } from "./page.ts";

const SECOND = 1_000_000;

/** The bus reader of a gateway. */
export function showHeard(page: Page, bus: Bus): void {
  const each = <T>(read: (feed: HeardFeed) => T) =>
    Array.from(bus.heardFeeds(), (feed) => [feed.name, read(feed)] as const);
  page.gauges("tickgate_feed_silent", "Whether nothing is heard of the feed, on no part of the bus", "feed", () => {
    const silent = new Map<string, number>();
    for (const { feed, isSilent } of bus.reader().heard())
      silent.set(feed, Math.min(silent.get(feed) ?? 1, isSilent ? 1 : 0));
    return each((feed) => silent.get(feed.name) ?? Number.NaN);
  });
  page.gauges(
    "tickgate_feed_clock_skew_seconds",
    "How far the publisher's clock is ahead of this process's, as both are measured against Redis' clock",
    "feed",
    () => each((feed) => feed.skew / SECOND),
  );
  page.histograms("tickgate_bus_transit_seconds", "From the making of a batch to its being applied here", "feed", () =>
    each((feed) => feed.transit),
  );
  page.histograms(
    "tickgate_inbound_age_seconds",
    "From the source's event time to the market table, a tick that came in a batch",
    "feed",
    () => each((feed) => feed.inboundAge),
  );
  const counts = bus.readerCounts();
  if (!counts) return;
  for (const [name, help, read] of READER_COUNTERS) page.counter(name, help, () => read(counts));
  page.countersBy(
    "tickgate_bus_malformed_total",
    "What publishers wrote that is not as docs/bus.md says, and is left out: batches, records and marks",
    ["feed", "reason"],
    () => counts.malformed.lines(Array.from(bus.heardFeeds(), ({ name }) => name)),
  );
}

/** The bus writers of feeds; only Redis has metrics. */
export function showWriters(page: Page, bus: Bus): void {
  const writers = bus.writers();
  if (writers.size === 0) return;
  const each = (read: (writer: RedisWriter) => number) => () =>
    Array.from(writers, ([feed, writer]) => [feed, read(writer)] as const);
  page.gauges(
    "tickgate_feed_leading",
    "Whether this publisher leads the feed",
    "feed",
    each(({ role }) => (role === "leading" ? 1 : 0)),
  );
  for (const [name, help, read] of WRITER_COUNTERS)
    page.counters(
      name,
      help,
      "feed",
      each(({ counts }) => read(counts)),
    );
}

/** The connections to Redis, if any. */
export function showRedis(page: Page, bus: Bus): void {
  const links = bus.links();
  if (links.length === 0) return;
  const [commands] = links;
  const areUp = () => (links.every(({ isUp }) => isUp) ? 1 : 0);
  page.gauge("tickgate_redis_connected", "Whether all connections to Redis are there", areUp);
  page.counter("tickgate_redis_reconnects_total", "Times that a connection to Redis came back after it was lost", () =>
    links.reduce((sum, { reconnects }) => sum + reconnects, 0),
  );
  page.gauge("tickgate_bus_connected", "Whether Redis can be asked and the bus heard", () =>
    bus.unready() === undefined ? 1 : 0,
  );
  page.histogram(
    "tickgate_redis_round_trip_seconds",
    "How long Redis takes to answer a question that costs it nothing, one a second",
    commands.roundTrip,
  );
  page.gauge(
    "tickgate_clock_offset_seconds",
    "How far this process's clock is ahead of Redis' clock",
    () => commands.offset.offset / SECOND,
  );
  page.gauge(
    "tickgate_clock_uncertainty_seconds",
    "By how much the offset may be wrong: half the shortest round trip",
    () => commands.offset.uncertainty / SECOND,
  );
}

type Read<Counts> = readonly [name: string, help: string, read: (counts: Counts) => number];

const READER_COUNTERS: readonly Read<ReaderCounts>[] = [
  ["tickgate_bus_batches_in_total", "Batches heard", (c) => c.batches],
  ["tickgate_bus_bytes_in_total", "Bytes of batches heard", (c) => c.bytes],
  ["tickgate_bus_gaps_total", "Times that batches were missing", (c) => c.gaps],
  ["tickgate_bus_reads_total", "Times that a shard was read from the last-value store", (c) => c.reads],
  ["tickgate_bus_mismatched_total", "Batches of feeds with another number of shards", (c) => c.mismatched],
];

const WRITER_COUNTERS: readonly Read<WriterCounts>[] = [
  ["tickgate_bus_batches_out_total", "Batches written, heartbeats among them", (c) => c.batches],
  ["tickgate_bus_records_out_total", "Records written", (c) => c.records],
  ["tickgate_bus_bytes_out_total", "Bytes of batches written", (c) => c.bytes],
  ["tickgate_bus_failures_total", "Writes that failed and were tried again", (c) => c.failures],
  ["tickgate_bus_healed_total", "Times that Redis had lost its values and was given them again", (c) => c.healed],
  ["tickgate_bus_deposed_total", "Times that another publisher was found to lead", (c) => c.deposed],
];
