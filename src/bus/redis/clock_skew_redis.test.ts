/** A publisher whose clock is wrong, through a real Redis: what is measured stays right, and what is wrong is shown. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Redis } from "ioredis";
import { pino } from "pino";
import { busSettings, quiet, until } from "../../../test/support/bus_bench.ts";
import { RedisServer } from "../../../test/support/redis_server.ts";
import { type Clock, SystemClock } from "../../base/clock.ts";
import { Publisher } from "../../feed/publisher.ts";
import { GatewayCounts } from "../../gateway/counts.ts";
import { FlushScheduler } from "../../gateway/fanout/flush_scheduler.ts";
import { Frame } from "../../gateway/fanout/frame.ts";
import { TopicIndex } from "../../gateway/fanout/topic_index.ts";
import { Ingest } from "../../gateway/ingest.ts";
import { GatewayTable } from "../../market/gateway_table.ts";
import { PublisherTable } from "../../market/publisher_table.ts";
import { openBus } from "../open.ts";

/** The machine's clock, and so many microseconds. */
class WrongClock implements Clock {
  readonly #clock = new SystemClock();
  readonly #ahead: number;

  constructor(ahead: number) {
    this.#ahead = ahead;
  }

  micros(): number {
    return this.#clock.micros() + this.#ahead;
  }

  millis(): number {
    return this.#clock.millis();
  }

  microsAt(millis: number): number {
    return this.#clock.microsAt(millis) + this.#ahead;
  }
}

const SYMBOLS = Array.from({ length: 40 }, (_, index) => `SIM:${index}`);
/** What a busy machine may take for anything, microseconds: far less than the clocks are off. */
const PATIENCE = 1_000_000;

for (const [who, publisherAhead, gatewayAhead] of [
  ["a publisher 3 s ahead", 3_000_000, 0],
  ["a publisher 3 s behind", -3_000_000, 0],
  ["a gateway 3 s ahead", 0, 3_000_000],
  ["all right", 0, 0],
] as const)
  test(`${who}: from the first batch on no stage has the difference in it, and the difference is known`, async () => {
    const redis = await RedisServer.start();
    const settings = busSettings(redis.url);
    const theirs = new WrongClock(publisherAhead);
    const ours = new WrongClock(gatewayAhead);
    const [near, far] = [openBus(settings, theirs, quiet), openBus(settings, ours, quiet)];
    try {
      const table = new PublisherTable(100);
      const publisher = new Publisher(table, near.writer("F"), theirs);
      await near.writers().get("F")!.start(table, publisher.counts.handover);
      const round = (bid: number) => {
        for (const symbol of SYMBOLS) publisher.tick(symbol, { bid }, theirs.micros());
      };
      round(1);
      const market = new GatewayTable(100);
      const reader = far.reader();
      reader.follow();
      const counts = new GatewayCounts({ metrics: true });
      const frame = new Frame(market.heap);
      const immediate = new TopicIndex({
        scheduler: new FlushScheduler(ours, 4),
        clock: ours,
        table: market,
        frame,
        counts,
        publish: () => {},
      });
      await reader.start(new Ingest(market, immediate, counts, ours));
      for (let bid = 2; bid <= 5; bid++) {
        round(bid);
        await until("the ticks are there", () => SYMBOLS.every((symbol) => market.seq[market.rowOf(symbol)] === bid));
      }
      for (const symbol of SYMBOLS) {
        const row = market.rowOf(symbol);
        for (const [stage, time] of [
          ["source", market.sourceTime[row]],
          ["feed", market.feedTime[row]],
          ["bus", market.busTime[row]],
        ] as const)
          assert.ok(time >= 0 && time < PATIENCE, `${stage}: ${time}`);
      }
      const [feed] = far.heardFeeds();
      assert.ok(Math.abs(feed.skew - (publisherAhead - gatewayAhead)) < PATIENCE / 10, `${feed.skew}`);
      assert.ok(feed.uncertainty < PATIENCE / 10, `${feed.uncertainty}`);
      for (const histogram of [
        feed.transit,
        feed.inboundAge,
        publisher.counts.receipt,
        publisher.counts.handover.wait,
      ]) {
        assert.ok(histogram.count > 0);
        assert.ok(histogram.sum / histogram.count < PATIENCE);
        // Not one of them has seen the three seconds, nor been cut off at none.
        assert.equal(
          histogram.counts.subarray(26).every((count) => count === 0),
          true,
        );
      }
      assert.ok(feed.transit.sum > 0);
      const [link] = far.links();
      assert.ok(Math.abs(link.offset.offset - gatewayAhead) < PATIENCE / 10);
    } finally {
      await Promise.all([near.close(), far.close()]);
      await redis.stop();
    }
  });

test("a gateway that may not ask Redis for the time still runs, and says nothing of clocks", async () => {
  const redis = await RedisServer.start(["user default on nopass ~* &* +@all -time"]);
  const settings = busSettings(redis.url);
  const clock = new SystemClock();
  const [near, far] = [openBus(settings, clock, quiet), openBus(settings, clock, quiet)];
  try {
    const table = new PublisherTable(100);
    const writer = near.writer("F");
    const publisher = new Publisher(table, writer, clock);
    await writer.start(table);
    const market = new GatewayTable(100);
    const reader = far.reader();
    reader.follow();
    await reader.start({
      record: (record) => {
        market.apply(record, clock.micros());
        return -1;
      },
      batchEnd() {},
      silent() {},
      speaking() {},
    });
    publisher.tick("A", { bid: 1 }, clock.micros());
    await until("the tick is there", () => market.rowOf("A") >= 0);
    const [link] = far.links();
    await until("Redis has answered", () => link.roundTrip.count > 0);
    assert.ok(Number.isNaN(link.offset.offset));
    const [feed] = far.heardFeeds();
    assert.ok(Number.isNaN(feed.skew));
    assert.equal(feed.correction, 0);
    assert.ok(link.isUp);
  } finally {
    await Promise.all([near.close(), far.close()]);
    await redis.stop();
  }
});

test("Redis has lost its data, and the next leader's clock is behind: a gateway cannot hear it, and says so", async () => {
  const redis = await RedisServer.start();
  const settings = busSettings(redis.url, { busSilence: 500 });
  const lines: string[] = [];
  const log = pino({ base: null, timestamp: false }, { write: (line: string) => void lines.push(line) });
  const far = openBus(settings, new SystemClock(), log);
  const buses = [far];
  const lead = async (ahead: number) => {
    const clock = new WrongClock(ahead);
    const bus = openBus(settings, clock, quiet);
    buses.push(bus);
    const table = new PublisherTable(100);
    const publisher = new Publisher(table, bus.writer("F"), clock);
    await bus.writers().get("F")!.start(table, publisher.counts.handover);
    publisher.tick("A", { bid: 1 }, clock.micros());
    return bus;
  };
  try {
    const market = new GatewayTable(100);
    const reader = far.reader();
    reader.follow();
    await reader.start({
      record: (record) => {
        market.apply(record);
        return -1;
      },
      batchEnd() {},
      silent() {},
      speaking() {},
    });
    const first = await lead(0);
    await until("the tick is there", () => market.rowOf("A") >= 0);
    await first.close();
    const client = new Redis(redis.url);
    await client.flushall();
    client.disconnect();
    await lead(-60_000_000);
    await until("it is logged", () => lines.some((line) => line.includes("a feed is left out")));
    const { reason } = JSON.parse(lines.find((line) => line.includes("a feed is left out")) ?? "") as {
      reason: string;
    };
    assert.match(reason, /^feed "F": epoch \d+ after \d+$/);
  } finally {
    await Promise.all(buses.map((bus) => bus.close()));
    await redis.stop();
  }
});
