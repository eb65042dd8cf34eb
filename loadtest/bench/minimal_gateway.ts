/**
 * Bare turns: a server that has the gateway's market, its encoder and its innermost loop, and sends its connections in turn what
 * has changed of their symbols. No windows and no pings, so nobody knows what has arrived; no commands, states, counts,
 * latencies or bus. What it costs is the least that a gateway can cost that sends the same.
 */
import { App, us_socket_local_port, type WebSocket } from "uWebSockets.js";
import { SystemClock } from "../../src/base/clock.ts";
import { FIELDS } from "../../src/base/tick.ts";
import { SimMarket } from "../../src/feed/sim/sim_market.ts";
import { Frame } from "../../src/gateway/fanout/frame.ts";
import { ENTRY_BYTES, type Entries, TickEncoder } from "../../src/market/encoder.ts";
import { MSGPACK } from "../../src/market/format.ts";
import { PublisherTable } from "../../src/market/publisher_table.ts";
import { Selection } from "../swarm/selection.ts";
import { type CountOrder, repeatAtRate, SendCounter, sendReport } from "./send_counter.ts";

/** The market, and what each connection gets of it. */
export interface MarketPlan {
  readonly symbols: number;
  readonly perConnection: number;
  /** Ticks a second. */
  readonly rate: number;
  /** How often each connection gets what has changed, ms. */
  readonly interval: number;
}

/** To such a server. */
export type MinimalGatewayOrder = { order: "serve"; market: MarketPlan } | CountOrder;

/** How often the market ticks and turns are taken, ms: as the simulator and the pacer do. */
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
  /** Connections that there have been. */
  #opened = 0;
  readonly #counter: SendCounter;
  #next = 0;

  constructor({ symbols, perConnection, rate, interval }: MarketPlan, counter: SendCounter) {
    this.#counter = counter;
    this.#perConnection = perConnection;
    this.#market = new SimMarket(symbols, 1, "SIM");
    this.#table = new PublisherTable(symbols);
    this.#frame = new Frame(this.#table.heap);
    this.#encoder = new TickEncoder(this.#table, MSGPACK, Uint8Array.from(FIELDS.keys()), true);
    this.#market.symbols.forEach((symbol, number) => {
      this.#table.merge(this.#table.add(symbol), this.#market.firstState(number), this.#clock.micros());
    });
    repeatAtRate(
      TICK_PERIOD,
      () => rate,
      () => this.#tick(),
    );
    // Interval 0 is a round as often as one can be made: all of them at each beat.
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
    // What the swarm's reader of that number would have subscribed to.
    const selection = new Selection(symbols, this.#opened++, this.#perConnection);
    for (let slot = 0; slot < selection.count; slot++) heap.i32[(entries >>> 2) + slot * 2] = selection.symbolAt(slot);
    this.#clients.push({ socket, entries: { entries } });
  }

  /** The load is about to go. */
  close(socket: WebSocket<unknown>): void {
    this.#clients = this.#clients.filter((turn) => turn.socket !== socket);
  }

  #tick(): void {
    const patch = this.#market.next();
    this.#table.merge(this.#table.rowOf(this.#market.symbols[this.#market.symbol]), patch, this.#clock.micros());
  }

  #flushNext(): void {
    const { socket, entries } = this.#clients[this.#next++ % this.#clients.length];
    this.#frame.begin(MSGPACK, Number.POSITIVE_INFINITY, this.#clock.micros());
    this.#encoder.copyChanged(entries, 0, this.#perConnection, this.#frame);
    if (this.#frame.count === 0) return;
    this.#counter.sent(socket.send(this.#frame.finish(), true, false));
  }
}

function serve(market: MarketPlan, counter: SendCounter): void {
  const turns = new MinimalGateway(market, counter);
  App()
    .ws("/v1/stream", { open: (socket) => turns.open(socket), close: (socket) => turns.close(socket) })
    .listen("127.0.0.1", 0, (socket) => {
      if (!socket) throw new Error("the bare turns cannot listen");
      sendReport({ report: "serving", port: us_socket_local_port(socket) });
    });
}

const counter = new SendCounter();
process.on("message", (message: MinimalGatewayOrder) => {
  if (message.order === "serve") serve(message.market, counter);
  else counter.handle(message);
});
process.on("disconnect", () => process.exit());
