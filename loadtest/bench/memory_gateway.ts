/** A gateway's real parts with a manual clock and without a network, for benchmarks. */
import { pack } from "msgpackr";
import { pino } from "pino";
import { ManualClock } from "../../src/base/clock.ts";
import { MemoryBus } from "../../src/bus/memory.ts";
import { SimMarket } from "../../src/feed/sim/sim_market.ts";
import { createContext, type GatewayContext } from "../../src/gateway/context.ts";
import { Ingest } from "../../src/gateway/ingest.ts";
import type { Socket, SocketData } from "../../src/gateway/outbound/socket.ts";
import { Session } from "../../src/gateway/session/session.ts";
import { BusRecord } from "../../src/market/bus_record.ts";
import { PublisherTable } from "../../src/market/publisher_table.ts";
import { SETTINGS, type Settings } from "../../src/settings/settings.ts";

/** A socket that discards frames and keeps pings for {@link MemoryGateway.answerPings}. */
class DiscardingSocket implements Socket {
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
    throw new Error("the gateway closed a connection");
  }

  getBufferedAmount(): number {
    return 0;
  }
}

export class MemoryGateway {
  readonly clock = new ManualClock();
  readonly context: GatewayContext;
  readonly sessions: Session[] = [];
  readonly #sockets: DiscardingSocket[] = [];
  readonly #ingest: Ingest;
  readonly #market: SimMarket;
  readonly #publisherTable: PublisherTable;
  readonly #record = new BusRecord();

  /** @param symbols of the market; each gets its first tick */
  constructor(symbols: number) {
    const { clock } = this;
    const defaults = Object.fromEntries(Object.entries(SETTINGS).map(([name, { default: value }]) => [name, value]));
    const settings = defaults as unknown as Settings;
    this.context = createContext(settings, new MemoryBus(), clock, pino({ level: "silent" }), () => {});
    const { table, topics, counts } = this.context;
    this.#ingest = new Ingest(table, topics, counts, clock);
    this.#market = new SimMarket(symbols, 1, "SIM");
    this.#publisherTable = new PublisherTable(symbols);
    this.#record.epoch = 1;
    for (let symbol = 0; symbol < symbols; symbol++) this.#tick(symbol, this.#market.firstState(symbol));
  }

  /** Adds a connection that subscribes to the symbols with these numbers. */
  connect(symbols: readonly number[], interval: number): void {
    const socket = new DiscardingSocket();
    const session = new Session(this.context, socket, String(this.sessions.length));
    this.sessions.push(session);
    this.#sockets.push(socket);
    session.open();
    for (let first = 0; first < symbols.length; first += 1_000) {
      const names = symbols.slice(first, first + 1_000).map((symbol) => this.#market.symbols[symbol]);
      session.handleMessage(pack({ op: "subscribe", symbols: names, interval }), true);
    }
  }

  /** Ticks with the simulator's distribution: few symbols have most of them. */
  ticks(count: number): void {
    for (let tick = 0; tick < count; tick++) {
      const patch = this.#market.next();
      this.#tick(this.#market.symbol, patch);
    }
    this.#ingest.batchEnd();
  }

  /** One tick for each of `count` symbols, from `first` on in steps of `step`. */
  tickEach(first: number, step: number, count: number): void {
    const { symbols } = this.#market;
    for (let tick = 0; tick < count; tick++) {
      const symbol = (first + tick * step) % symbols.length;
      this.#tick(symbol, this.#market.firstState(symbol));
    }
    this.#ingest.batchEnd();
  }

  /** Maintains every session, as the gateway does four times per second. */
  maintain(): void {
    const now = this.clock.millis();
    for (const session of this.sessions) session.maintain(now);
  }

  answerPings(): void {
    this.#sockets.forEach((socket, index) => {
      for (const ping of socket.pings.splice(0)) this.sessions[index].handlePong(ping);
    });
  }

  #tick(symbol: number, patch: Parameters<PublisherTable["merge"]>[1]): void {
    const row = this.#publisherTable.add(this.#market.symbols[symbol]);
    const now = this.clock.micros();
    this.#publisherTable.merge(row, patch, now, now);
    this.#publisherTable.read(row, this.#record);
    this.#record.sentAt = now;
    this.#ingest.record(this.#record);
  }
}
