/**
 * The cost of a simulated tick: generated, merged by the publisher, sent over the memory bus and applied to a second
 * market table. Compare the ratio to a baseline of the same run, in which a sink only counts the ticks; times differ
 * between machines.
 *
 *     node loadtest/bench/sim.ts [TICKS]
 */
import { setImmediate as nextTask } from "node:timers/promises";
import { SystemClock } from "../../src/base/clock.ts";
import type { BusListener } from "../../src/bus/bus.ts";
import { MemoryBus } from "../../src/bus/memory.ts";
import type { FeedSink } from "../../src/feed/adapter.ts";
import { Publisher } from "../../src/feed/publisher.ts";
import { SimMarket } from "../../src/feed/sim/sim_market.ts";
import { GatewayTable } from "../../src/market/gateway_table.ts";
import { PublisherTable } from "../../src/market/publisher_table.ts";

const SYMBOLS = 1_000;
/** Ticks per step of the simulator. */
const BATCH_TICKS = 500;
const ROUNDS = 5;
const ticks = Number(process.argv[2] ?? 1_000_000);

async function measure(sink: FeedSink): Promise<number> {
  const market = new SimMarket(SYMBOLS, 1, "SIM");
  const start = process.cpuUsage();
  for (let done = 0; done < ticks; done += BATCH_TICKS) {
    for (let i = 0; i < BATCH_TICKS; i++) {
      const patch = market.next();
      sink.tick(market.symbols[market.symbol], patch, done);
    }
    await nextTask();
  }
  const { user, system } = process.cpuUsage(start);
  return (user + system) / ticks;
}

async function published(): Promise<number> {
  const bus = new MemoryBus();
  const writer = bus.writer();
  const publisherTable = new PublisherTable(SYMBOLS);
  const gatewayTable = new GatewayTable(SYMBOLS);
  await writer.start(publisherTable);
  const listener: BusListener = {
    record: (record) => {
      gatewayTable.apply(record);
      return -1;
    },
    batchEnd: () => {},
    silent: () => {},
    speaking: () => {},
  };
  await bus.start(listener);
  const publisher = new Publisher(publisherTable, writer, new SystemClock());
  const micros = await measure(publisher);
  await writer.close();
  if (gatewayTable.clock === 0 || publisher.counts.ticks !== ticks) throw new Error("ticks were lost");
  return micros;
}

let counted = 0;
const nothing = () => {};
const empty: FeedSink = {
  tick: () => void counted++,
  ...{
    trade: nothing,
    book: nothing,
    bookLost: nothing,
    stale: nothing,
    closed: nothing,
    skip: nothing,
    connected: nothing,
    disconnected: nothing,
    takesPastBars: false,
    missingBars: () => undefined,
    pastBars: nothing,
  },
};

for (let round = 0; round < ROUNDS; round++) {
  const baseline = await measure(empty);
  const full = await published();
  process.stdout.write(
    `generated ${baseline.toFixed(3)} µs per tick; published and applied ${full.toFixed(3)} µs, ${(full / baseline).toFixed(1)} times; ` +
      `at 100,000 ticks/s ${(full * 10).toFixed(1)} % of a core\n`,
  );
}
