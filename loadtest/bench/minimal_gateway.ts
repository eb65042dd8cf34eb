/**
 * A reference server with the gateway's market table, encoder and scan. It flushes one connection after the other,
 * without in-flight windows, pings, commands, states, counters, latencies or a bus: the minimum for a gateway that
 * sends the same.
 */
import { App, us_socket_local_port, type WebSocket } from "uWebSockets.js";
import { SystemClock } from "../../src/base/clock.ts";
import { FIELDS } from "../../src/base/tick.ts";
import { SimMarket } from "../../src/feed/sim/sim_market.ts";
import { Frame } from "../../src/gateway/fanout/frame.ts";
import { TickEncoder } from "../../src/market/encoder.ts";
import { ENTRY_BYTES } from "../../src/market/heap_layout.ts";
import { PublisherTable } from "../../src/market/publisher_table.ts";
import { QUOTE_MSGPACK } from "../../src/market/quote/quote_format.ts";
import type { Entries } from "../../src/market/row_encoder.ts";
import { Selection } from "../swarm/selection.ts";
import { type CountOrder, repeatAtRate, SendCounter, sendReport } from "./send_counter.ts";

/** The market, and the subscription of each connection. */
export interface MarketPlan {
  readonly symbols: number;
  readonly perConnection: number;
  /** Ticks per second. */
  readonly rate: number;
  /** The time between two flushes of a connection, ms. */
  readonly interval: number;
}

/** Orders from the parent process. */
export type MinimalGatewayOrder = { order: "serve"; market: MarketPlan } | CountOrder;

/** The timers of the market and of the flushes, ms: those of the simulator and of the flush scheduler. */
const TICK_PERIOD = 2;
const FLUSH_PERIOD = 4;

interface Client {
  readonly socket: WebSocket<unknown>;
  readonly entries: Entries;
}

class MinimalGateway {
  readonly #clock = new SystemClock();
  readonly #market: SimMarket;
  readonly #table: PublisherTable;
  readonly #frame: Frame;
  readonly #encoder: TickEncoder;
  readonly #perConnection: number;
  #clients: Client[] = [];
  /** Connections so far. */
  #opened = 0;
  readonly #counter: SendCounter;
  #next = 0;

  constructor({ symbols, perConnection, rate, interval }: MarketPlan, counter: SendCounter) {
    this.#counter = counter;
    this.#perConnection = perConnection;
    this.#market = new SimMarket(symbols, 1, "SIM");
    this.#table = new PublisherTable(symbols);
    this.#frame = new Frame(this.#table.heap);
    this.#encoder = new TickEncoder(this.#table, QUOTE_MSGPACK, Uint8Array.from(FIELDS.keys()), true);
    this.#market.symbols.forEach((symbol, number) => {
      this.#table.merge(this.#table.add(symbol), this.#market.firstState(number), this.#clock.micros());
    });
    repeatAtRate(
      TICK_PERIOD,
      () => rate,
      () => this.#tick(),
    );
    // With interval 0 all connections are flushed at each period.
    const roundsPerSecond = 1_000 / Math.max(interval, FLUSH_PERIOD);
    repeatAtRate(
      FLUSH_PERIOD,
      () => this.#clients.length * roundsPerSecond,
      () => this.#flushNext(),
      () => this.#clients.length,
    );
  }

  open(socket: WebSocket<unknown>): void {
    const { heap, symbols } = this.#table;
    const entries = heap.alloc(this.#perConnection * ENTRY_BYTES);
    // The same symbols as the swarm's connection with this number.
    const selection = new Selection(symbols, this.#opened++, this.#perConnection);
    for (let slot = 0; slot < selection.count; slot++) heap.i32[(entries >>> 2) + slot * 2] = selection.symbolAt(slot);
    this.#clients.push({ socket, entries: { entries } });
  }

  /** The load is closing. */
  close(socket: WebSocket<unknown>): void {
    this.#clients = this.#clients.filter((client) => client.socket !== socket);
  }

  #tick(): void {
    const patch = this.#market.next();
    this.#table.merge(this.#table.rowOf(this.#market.symbols[this.#market.symbol]), patch, this.#clock.micros());
  }

  #flushNext(): void {
    const { socket, entries } = this.#clients[this.#next++ % this.#clients.length];
    this.#frame.begin(QUOTE_MSGPACK, Number.POSITIVE_INFINITY, this.#clock.micros());
    this.#encoder.copyChanged(entries, 0, this.#perConnection, this.#frame);
    if (this.#frame.count === 0) return;
    this.#counter.sent(socket.send(this.#frame.finish(), true, false));
  }
}

function serve(market: MarketPlan, counter: SendCounter): void {
  const gateway = new MinimalGateway(market, counter);
  App()
    .ws("/v1/stream", { open: (socket) => gateway.open(socket), close: (socket) => gateway.close(socket) })
    .listen("127.0.0.1", 0, (socket) => {
      if (!socket) throw new Error("the minimal gateway cannot listen");
      sendReport({ report: "serving", port: us_socket_local_port(socket) });
    });
}

const counter = new SendCounter();
process.on("message", (message: MinimalGatewayOrder) => {
  if (message.order === "serve") serve(message.market, counter);
  else counter.handle(message);
});
process.on("disconnect", () => process.exit());
