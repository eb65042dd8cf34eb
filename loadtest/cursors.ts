/**
 * Cursors alone: a server that has the gateway's market, its encoder and its innermost loop, and sends its connections in turn what
 * has changed of their symbols. No windows and no pings, so nobody knows what has arrived; no commands, states, counts,
 * latencies or bus. What it costs is the least that a gateway can cost that sends the same.
 */
import { App, us_socket_local_port, type WebSocket } from "uWebSockets.js";
import { SystemClock } from "../src/clock.ts";
import { SimMarket } from "../src/feed/sim_market.ts";
import { Frame } from "../src/gateway/frame.ts";
import { ENTRY_BYTES, type Entries, TickEncoder } from "../src/market/encoder.ts";
import { MSGPACK } from "../src/market/format.ts";
import { MarketTable } from "../src/market/table.ts";
import { FIELDS } from "../src/tick.ts";
import { type CountOrder, SendCounter, say } from "./send_counter.ts";

/** The market, and what each connection gets of it. */
export interface CursorsMarket {
  readonly symbols: number;
  readonly perConnection: number;
  /** Ticks a second. */
  readonly rate: number;
  /** How often each connection gets what has changed, ms. */
  readonly interval: number;
}

/** To such a server. */
export type CursorsOrder = { order: "serve"; market: CursorsMarket } | CountOrder;

/** How often the market ticks and turns are taken, ms: as the simulator and the pacer do. */
const TICK_PERIOD = 2;
const TURN_PERIOD = 4;
/** The longest time that is caught up with, ms, where it was held up. */
const CATCH_UP = 100;

/** What is done for each, so many times a second, whatever the timers do. */
function often(period: number, perSecond: () => number, act: () => void): void {
  let owed = 0;
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    owed += (Math.min(now - last, CATCH_UP) * perSecond()) / 1_000;
    last = now;
    for (; owed >= 1; owed--) act();
  }, period);
}

class Cursors {
  readonly #clock = new SystemClock();
  readonly #market: SimMarket;
  readonly #table: MarketTable;
  readonly #frame: Frame;
  readonly #encoder: TickEncoder;
  readonly #perConnection: number;
  readonly #turns: { socket: WebSocket<unknown>; entries: Entries }[] = [];
  readonly #counter: SendCounter;
  #next = 0;

  constructor({ symbols, perConnection, rate, interval }: CursorsMarket, counter: SendCounter) {
    this.#counter = counter;
    this.#perConnection = perConnection;
    this.#market = new SimMarket(symbols, 1, "SIM");
    this.#table = new MarketTable(symbols);
    this.#frame = new Frame(this.#table.heap);
    this.#encoder = new TickEncoder(this.#table, MSGPACK, Uint8Array.from(FIELDS.keys()), true);
    this.#market.symbols.forEach((symbol, number) => {
      this.#table.merge(this.#table.add(symbol), this.#market.first(number), this.#clock.micros());
    });
    often(
      TICK_PERIOD,
      () => rate,
      () => this.#tick(),
    );
    // Interval 0 is all the time here, as it is for a gateway that has more to say than it can.
    often(
      TURN_PERIOD,
      () => (this.#turns.length * 1_000) / Math.max(interval, 1),
      () => this.#turn(),
    );
  }

  open(socket: WebSocket<unknown>): void {
    const { heap, rows } = this.#table;
    const entries = heap.alloc(this.#perConnection * ENTRY_BYTES);
    const first = Math.floor(Math.random() * rows);
    const step = Math.max(1, Math.floor(rows / this.#perConnection));
    for (let index = 0; index < this.#perConnection; index++)
      heap.i32[(entries >> 2) + index * 2] = (first + index * step) % rows;
    this.#turns.push({ socket, entries: { entries } });
  }

  close(): void {
    // The load is about to go, and this with it.
    this.#turns.length = 0;
  }

  #tick(): void {
    const patch = this.#market.next();
    this.#table.merge(this.#table.rowOf(this.#market.symbols[this.#market.symbol]), patch, this.#clock.micros());
  }

  #turn(): void {
    if (this.#turns.length === 0) return;
    const { socket, entries } = this.#turns[this.#next++ % this.#turns.length];
    this.#frame.begin(MSGPACK, Number.POSITIVE_INFINITY, this.#clock.micros());
    this.#encoder.copyChanged(entries, 0, this.#perConnection, this.#frame);
    if (this.#frame.count === 0) return;
    socket.send(this.#frame.finish(), true, false);
    this.#counter.frames++;
  }
}

function serve(market: CursorsMarket, counter: SendCounter): void {
  const cursors = new Cursors(market, counter);
  App()
    .ws("/v1/stream", { open: (socket) => cursors.open(socket), close: () => cursors.close() })
    .listen("127.0.0.1", 0, (socket) => {
      if (!socket) throw new Error("the cursors cannot listen");
      say({ report: "serving", port: us_socket_local_port(socket) });
    });
}

const counter = new SendCounter();
process.on("message", (message: CursorsOrder) => {
  if (message.order === "serve") serve(message.market, counter);
  else counter.obey(message);
});
process.on("disconnect", () => process.exit());
