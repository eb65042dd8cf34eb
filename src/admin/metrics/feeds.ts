/** The metrics of the feeds that a process publishes. */
import type { FeedCounts } from "../../feed/publisher.ts";
import type { RunningFeed } from "../../feed/running_feed.ts";
import type { Page } from "./page.ts";

export function showFeeds(page: Page, feeds: readonly RunningFeed[]): void {
  const each = (read: (counts: FeedCounts, feed: RunningFeed) => number) => () =>
    feeds.map((feed) => [feed.name, read(feed.counts, feed)] as const);
  page.gauges(
    "tickgate_feed_connected",
    "Whether the feed hears its source",
    "feed",
    each((_, { connected }) => (connected ? 1 : 0)),
  );
  page.counters(
    "tickgate_feed_connects_total",
    "Connections to the source that came about",
    "feed",
    each(({ connects }) => connects),
  );
  page.counters(
    "tickgate_feed_disconnects_total",
    "Connections to the source that were lost",
    "feed",
    each(({ disconnects }) => disconnects),
  );
  page.counters(
    "tickgate_feed_ticks_total",
    "Ticks that the feed made",
    "feed",
    each(({ ticks }) => ticks),
  );
  page.counters(
    "tickgate_feed_trades_total",
    "Trades that the feed made",
    "feed",
    each(({ trades }) => trades),
  );
  page.counters(
    "tickgate_feed_books_total",
    "Changes of order books that the feed made",
    "feed",
    each(({ books }) => books),
  );
  page.gauges(
    "tickgate_feed_last_tick_timestamp_seconds",
    "When the feed's last tick was received",
    "feed",
    each(({ lastTick }) => lastTick / 1_000_000),
  );
  page.gauges(
    "tickgate_feed_closed_symbols",
    "Symbols of the feed that have ended for good",
    "feed",
    each((_, { closedSymbols }) => closedSymbols),
  );
  page.counters(
    "tickgate_feed_conflated_total",
    "Ticks that were replaced by newer ones before the bus took them",
    "feed",
    each(({ handover }) => handover.conflated),
  );
  page.counters(
    "tickgate_feed_future_ticks_total",
    "Ticks whose event time was more than a millisecond ahead of our clock",
    "feed",
    each(({ future }) => future),
  );
  page.counters(
    "tickgate_feed_replaced_times_total",
    "Ticks whose event time was missing, or before 2000, or more than ten minutes ahead: it is when they were received",
    "feed",
    each(({ replacedTimes }) => replacedTimes),
  );
  page.countersBy(
    "tickgate_feed_skipped_total",
    "Messages of the source that were left out, by reason",
    ["feed", "reason"],
    function* () {
      for (const { name, counts } of feeds)
        for (const [reason, count] of Object.entries(counts.skipped)) yield [{ feed: name, reason }, count];
    },
  );
  page.histograms(
    "tickgate_feed_receipt_seconds",
    "From the source's event time to the feed's receipt, a tick",
    "feed",
    () => feeds.map(({ name, counts }) => [name, counts.receipt]),
  );
  page.histograms(
    "tickgate_feed_publish_seconds",
    "From the feed's receipt to the making of the batch, a tick that the bus has taken",
    "feed",
    () => feeds.map(({ name, counts }) => [name, counts.handover.wait]),
  );
}
