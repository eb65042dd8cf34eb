import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { ManualClock } from "../../../base/clock.ts";
import { UNKNOWN_CLOCK } from "../../../base/clock_offset.ts";
import { BarPayload } from "../../../market/bar/bar_payload.ts";
import { BarRecord } from "../../../market/bar/bar_record.ts";
import type { Payload } from "../../../market/payload.ts";
import { PublisherTable } from "../../../market/publisher_table.ts";
import { Handover } from "../../handover.ts";
import { BatchDecoder, BatchEncoder } from "../../wire/wire.ts";
import type { RedisLink } from "../connection/link.ts";
import { RedisKeys } from "../shard.ts";
import { ShardWriter } from "./shard_writer.ts";
import { WriterCounts } from "./writer_counts.ts";

const SECOND = 1_000_000;
const START = 1_700_000_000;

/** A writer of bars of the symbol A to a Redis that the test plays. */
function setUp(barsPerSymbol: number) {
  const table = new PublisherTable(10, new BarPayload({ barsPerSymbol, maxBars: 1_000_000 }, true));
  const row = table.add("A");
  const clock = new ManualClock();
  const written: { bars: number[]; seqs: number[]; dropped: string }[] = [];
  const redis = { isFailing: false };
  const call = async (_command: string, [, , , , ...args]: (string | number | Buffer)[]) => {
    if (redis.isFailing) throw new Error("no answer");
    const [, , epoch, number, message] = args as [string, string, number, number, Buffer];
    const decoder = new BatchDecoder("bar:1s");
    const { records } = decoder.begin(message);
    const record = new BarRecord();
    const batch = { bars: [] as number[], seqs: [] as number[], dropped: String(args[10] ?? "") };
    for (let left = records; left > 0; left--) {
      decoder.next(record);
      batch.bars.push(record.start / SECOND - START);
      batch.seqs.push(record.seq);
    }
    written.push(batch);
    return [1, Buffer.from(`${epoch}:${number - 1}:F`)];
  };
  const writer = new ShardWriter(
    {
      feed: "F",
      keys: new RedisKeys("t", 1, "bar:1s"),
      link: { isUp: true, call } as unknown as RedisLink,
      isSharded: false,
      clock,
      log: pino({ level: "silent" }),
      table: table as unknown as PublisherTable<Payload>,
      encoder: new BatchEncoder("F", 1, "bar:1s"),
      record: new BarRecord(),
      counts: new WriterCounts(),
      handover: new Handover(),
      offset: UNKNOWN_CLOCK,
      rowsOf: () => [row],
      fenced: () => assert.fail("fenced"),
      failed: () => {},
      more: () => {},
    },
    0,
  );
  writer.reset(7);
  writer.fenced(0);
  return {
    redis,
    written,
    trade(bar: number): void {
      const start = (START + bar) * SECOND;
      table.merge(row, { start, price: 1, size: 1, flags: 0 }, start, start);
      writer.changed(row);
    },
    /** Writes, and hears the answer. */
    async write(): Promise<void> {
      clock.advance(300);
      writer.write(clock.millis());
      await new Promise(setImmediate);
    },
  };
}

test("a batch has each changed bar once, in the order of the changes, and names those that were dropped", async () => {
  const { trade, write, written } = setUp(3);
  for (const bar of [1, 2, 1]) trade(bar);
  await write();
  for (const bar of [3, 4, 2, 5]) trade(bar);
  await write();
  assert.deepEqual(written, [
    { bars: [2, 1], seqs: [2, 3], dropped: "" },
    { bars: [3, 4, 5], seqs: [4, 5, 7], dropped: "A 1700000001,A 1700000002" },
  ]);
});

test("what a failed write was to say is said by the next one", async () => {
  const { trade, write, written, redis } = setUp(3);
  for (const bar of [1, 2, 3]) trade(bar);
  await write();
  redis.isFailing = true;
  trade(4);
  await write();
  trade(5);
  await write();
  redis.isFailing = false;
  await write();
  assert.deepEqual(written.slice(1), [{ bars: [4, 5], seqs: [4, 5], dropped: "A 1700000001,A 1700000002" }]);
});

test("more bars than a batch has room for come with the next ones, each once", async () => {
  const { trade, write, written } = setUp(5_000);
  for (let bar = 0; bar < 2_500; bar++) trade(bar);
  for (let count = 0; count < 4; count++) await write();
  assert.deepEqual(
    written.map(({ bars }) => bars.length),
    [1_000, 1_000, 500],
  );
  assert.deepEqual(
    written.flatMap(({ bars }) => bars),
    Array.from({ length: 2_500 }, (_, bar) => bar),
  );
});
