/**
 * Every capture that today's adapters read, through its adapter and a publisher: what reaches the market table is
 * sound.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { captures } from "../../../test/support/captures.ts";
import { KeptLog } from "../../../test/support/feed_bench.ts";
import { SystemClock } from "../../base/clock.ts";
import { FIELD_COUNT, FIELDS, LIVE } from "../../base/tick.ts";
import type { BusWriter } from "../../bus/bus.ts";
import { PublisherTable } from "../../market/publisher_table.ts";
import type { FeedContext } from "../adapter.ts";
import { Publisher } from "../publisher.ts";
import { BinanceVenue } from "../venue/binance.ts";
import { CoinbaseVenue } from "../venue/coinbase.ts";
import type { Venue } from "../venue/connection.ts";

const silent: BusWriter = { isLeading: true, start: async () => {}, changed: () => {}, close: async () => {} };
const EARLIEST = Date.UTC(2000, 0, 1) * 1_000;

/** All names in the messages, so that no message is left out. */
function namesIn(texts: readonly string[], key: RegExp): string[] {
  return [...new Set(texts.flatMap((text) => [...text.matchAll(key)].map(([, name]) => name)))];
}

const VENUES: Readonly<Record<string, (texts: readonly string[], context: FeedContext) => Venue>> = {
  coinbase: (texts, context) => new CoinbaseVenue("ws://x", namesIn(texts, /"product_id":"([^"]+)"/g), context),
  binance: (texts, context) => new BinanceVenue("ws://x", namesIn(texts, /"s":"([^"]+)"/g), context),
  binance_books: (texts, context) => new BinanceVenue("ws://x", namesIn(texts, /"s":"([^"]+)"/g), context),
};

for (const [name, open] of Object.entries(VENUES))
  for (const [file, { received }] of captures(name))
    test(`${file}: no 0 that means nothing, no value that is not finite, all times whole and sane`, () => {
      const clock = new SystemClock();
      const table = new PublisherTable(1_000);
      const publisher = new Publisher(table, silent, clock);
      const venue = open(
        received.map(({ text }) => text),
        { sink: publisher, clock, log: new KeptLog().log, channels: new Set(["quote"]) },
      );
      venue.subscribe();
      for (const { text } of received) {
        assert.notEqual(
          venue.message(JSON.parse(text), () => {}),
          "malformed",
          text,
        );
        for (let row = 0; row < table.rows; row++) check(table, row, clock.micros());
      }
      const { counts } = publisher;
      assert.ok(counts.ticks > 0);
      assert.equal(counts.replacedTimes, 0);
      for (let row = 0; row < table.rows; row++) assert.equal(table.state[row], LIVE, table.symbols[row]);
    });

function check(table: PublisherTable, row: number, now: number): void {
  const time = table.eventTime[row];
  assert.ok(Number.isSafeInteger(time) && time >= EARLIEST && time <= now, `${table.symbols[row]} at ${time}`);
  for (const [index, field] of FIELDS.entries()) {
    const value = table.payload.values[row * FIELD_COUNT + index];
    // None of these products had a price or a size of 0; a day without a trade has a volume of 0.
    const isSound =
      Number.isNaN(value) || (Number.isFinite(value) && (value > 0 || (field === "volume" && value === 0)));
    assert.ok(isSound, `${table.symbols[row]}: ${field} is ${value}`);
  }
}
