/**
 * Publishes the simulated market of `tickgate feed` to a peer, as a process that publishers.ts starts.
 *
 *     node publisher/main.ts ORDER     (JSON: PublisherOrder)
 */
import { pino } from "pino";
import { SystemClock } from "../../../src/base/clock.ts";
import { FIELD_COUNT } from "../../../src/base/tick.ts";
import { Publisher } from "../../../src/feed/publisher.ts";
import { SimFeed } from "../../../src/feed/sim/sim.ts";
import { SimMarket } from "../../../src/feed/sim/sim_market.ts";
import { PublisherTable } from "../../../src/market/publisher_table.ts";
import type { PublisherOrder } from "./order.ts";
import type { Transport } from "./transport.ts";

async function open({ to }: PublisherOrder): Promise<Transport> {
  switch (to.via) {
    case "redis":
      return (await import("./redis.ts")).redisTransport(to.url);
    case "socketio":
      return (await import("./socketio.ts")).socketioTransport(to.url, to.isVolatile);
    case "centrifugo":
      return (await import("./centrifugo.ts")).centrifugoTransport(to.port, to.format);
    case "nats":
      return (await import("./nats.ts")).natsTransport(to.port);
    case "uws":
      return (await import("./uws.ts")).uwsTransport();
  }
}

const order = JSON.parse(process.argv[2]) as PublisherOrder;
const transport = await open(order);
const clock = new SystemClock();
const table = new PublisherTable(order.symbols);
let isFlushing = false;

/** The first ticks come in the order of the symbols, so a row is a symbol's number. */
function changed(row: number): void {
  const values = table.payload.values.subarray(row * FIELD_COUNT, (row + 1) * FIELD_COUNT);
  transport.tick(table.symbols[row], row, table.seq[row], table.eventTime[row], values);
  if (isFlushing) return;
  isFlushing = true;
  // After the market's current step.
  queueMicrotask(() => {
    isFlushing = false;
    transport.flush();
  });
}

const bus = { isLeading: true, start: async () => {}, changed, close: async () => {} };
const sink = new Publisher(table, bus, clock);
const log = pino({ level: "silent" });
new SimFeed(new SimMarket(order.symbols, order.seed, "SIM"), order.rate, {
  sink,
  clock,
  log,
  channels: new Set(),
}).start();
process.stdout.write("publishing\n");
