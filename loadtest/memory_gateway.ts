/** A gateway's real parts without a network and without time of its own: for benchmarks of what is between. */
import { pack } from "msgpackr";
import { pino } from "pino";
import { ManualClock } from "../src/base/clock.ts";
import { BusRecord } from "../src/bus/bus.ts";
import { MemoryBus } from "../src/bus/memory.ts";
import { SimMarket } from "../src/feed/sim/sim_market.ts";
import { createContext, type GatewayContext } from "../src/gateway/context.ts";
import { Ingest } from "../src/gateway/ingest.ts";
import { Session } from "../src/gateway/session/session.ts";
import type { Socket, SocketData } from "../src/gateway/session/socket.ts";
import { MarketTable } from "../src/market/table.ts";
import { SETTINGS, type Settings } from "../src/settings/settings.ts";

/** A socket that swallows what it is given, and whose client answers each ping at once. */
class SwallowingSocket implements Socket {
  readonly #data: SocketData = {
    subprotocol: "tickgate.v1.msgpack",
    address: "127.0.0.1",
    agent: "",
  };
  readonly pings: ArrayBuffer[] = [];

  subscribe(): void {}

  unsubscribe(): void {}

  getUserData(): SocketData {
    return this.#data;
  }

  send(): number {
    return 1;
  }

  ping(payload: Uint8Array): number {
    this.pings.push(Uint8Array.from(payload).buffer);
    return 1;
  }

  cork(write: () => void): void {
    write();
  }

  end(): void {
    throw new Error("the gateway has closed a connection");
  }

  getBufferedAmount(): number {
    return 0;
  }
}

export class MemoryGateway {
  readonly clock = new ManualClock();
  readonly context: GatewayContext;
  readonly sessions: Session[] = [];
  readonly #sockets: SwallowingSocket[] = [];
  readonly #ingest: Ingest;
  readonly #market: SimMarket;
  readonly #near: MarketTable;
  readonly #record = new BusRecord();

  /** @param symbols of the market: each has had its first tick */
  constructor(symbols: number) {
    const { clock } = this;
    const defaults = Object.fromEntries(Object.entries(SETTINGS).map(([name, { default: value }]) => [name, value]));
    const settings = defaults as unknown as Settings;
    this.context = createContext(settings, new MemoryBus(), clock, pino({ level: "silent" }), () => {});
    const { table, topics: immediate, counts } = this.context;
    this.#ingest = new Ingest(table, immediate, counts, clock);
    this.#market = new SimMarket(symbols, 1, "SIM");
    this.#near = new MarketTable(symbols);
    this.#record.epoch = 1;
    for (let symbol = 0; symbol < symbols; symbol++) this.#tick(symbol, this.#market.first(symbol));
  }

  /** One more connection, subscribed to `SIM:S…` of these numbers. */
  connect(symbols: readonly number[], interval: number): void {
    const socket = new SwallowingSocket();
    const session = new Session(this.context, socket, String(this.sessions.length));
    this.sessions.push(session);
    this.#sockets.push(socket);
    session.open();
    for (let first = 0; first < symbols.length; first += 1_000) {
      const names = symbols.slice(first, first + 1_000).map((symbol) => this.#market.symbols[symbol]);
      session.handleMessage(pack({ op: "subscribe", symbols: names, interval }), true);
    }
  }

  /** Ticks of the market as they come: a few symbols have most of them. */
  ticks(count: number): void {
    for (let tick = 0; tick < count; tick++) {
      const patch = this.#market.next();
      this.#tick(this.#market.symbol, patch);
    }
    this.#ingest.batchEnd();
  }

  /** One tick each of so many symbols, from `first` on, each `step`th. */
  tickEach(first: number, step: number, count: number): void {
    const { symbols } = this.#market;
    for (let tick = 0; tick < count; tick++) {
      const symbol = (first + tick * step) % symbols.length;
      this.#tick(symbol, this.#market.first(symbol));
    }
    this.#ingest.batchEnd();
  }

  /** The look at every session that time brings, as the gateway does it four times a second. */
  look(): void {
    const now = this.clock.millis();
    for (const session of this.sessions) session.maintain(now);
  }

  answerPings(): void {
    this.#sockets.forEach((socket, index) => {
      for (const ping of socket.pings.splice(0)) this.sessions[index].handlePong(ping);
    });
  }

  #tick(symbol: number, patch: Parameters<MarketTable["merge"]>[1]): void {
    const row = this.#near.add(this.#market.symbols[symbol]);
    const now = this.clock.micros();
    this.#near.merge(row, patch, now, now);
    this.#near.read(row, this.#record);
    this.#record.sentAt = now;
    this.#ingest.record(this.#record);
  }
}
