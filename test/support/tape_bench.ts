/** For the tests of tapes: one session that is subscribed to trades, and a client that checks what it gets. */
import assert from "node:assert/strict";
import { LIVE } from "../../src/base/tick.ts";
import { Ingest } from "../../src/gateway/ingest.ts";
import type { Authority } from "../../src/identity/identity.ts";
import { TradeRecord } from "../../src/market/trade/trade_payload.ts";
import type { ChannelSubscribed, Control, Status, Subprotocol } from "../../src/protocol/messages.ts";
import { type ClientReceiver, SessionBench } from "./session_bench.ts";

export type WireTrade = [number, number, number, number, number, number, string | null];

/** What a client makes of the tape: it notes each breach of what the protocol promises. */
export class TapeClient implements ClientReceiver {
  readonly symbols = new Map<number, string>();
  /** The last number of each symbol; undefined before its first trade. */
  readonly last = new Map<string, number | undefined>();
  /** What is still to come of the past. */
  readonly past = new Map<string, number>();
  readonly missed = new Map<string, number>();
  readonly afterGap = new Set<string>();
  readonly got: WireTrade[] = [];
  readonly messages: Control[] = [];
  readonly breaches: string[] = [];
  frames = 0;
  /** How many past trades the last subscribe has asked for. */
  asked = 0;
  /** The latest number of a symbol at the gateway. */
  newestOf: (symbol: string) => number = () => Number.NaN;

  control(message: Control): void {
    this.messages.push(message);
    if (message.op === "subscribed") {
      for (const [symbol, handle, count = 0] of (message as unknown as ChannelSubscribed).symbols) {
        this.symbols.set(handle, symbol);
        this.past.set(symbol, count);
        this.#granted(symbol, count);
      }
    }
    if (message.op === "unsubscribed") for (const symbol of message.symbols) this.last.delete(symbol);
    if (message.op === "status" && message.state === "gap") this.#gap(message);
  }

  /** Only as many past trades as were asked for may come again; what was not sent before comes in any case. */
  #granted(symbol: string, count: number): void {
    const last = this.last.get(symbol);
    if (last === undefined) this.last.set(symbol, undefined);
    else if (this.asked > 0 && this.newestOf(symbol) - count < last)
      this.last.set(symbol, this.newestOf(symbol) - count);
    if (count > Math.max(this.asked, this.newestOf(symbol) - (last ?? 0)))
      this.breaches.push(`${symbol}: ${count} past ones instead of ${this.asked}`);
  }

  #gap({ symbols, missed, reason, channel }: Status): void {
    if (channel !== "trade") this.breaches.push("a gap of another channel");
    for (const symbol of symbols) {
      if (reason === "reset") this.last.set(symbol, undefined);
      else {
        this.missed.set(symbol, (this.missed.get(symbol) ?? 0) + (missed ?? 0));
        const last = this.last.get(symbol);
        if (last !== undefined) this.last.set(symbol, last + (missed ?? Number.NaN));
        this.afterGap.add(symbol);
      }
    }
  }

  frame(_sentAt: number, ticks: unknown[]): void {
    this.frames++;
    for (const tick of ticks as WireTrade[]) {
      const [handle, seq, time, price, size, side, id] = tick;
      const symbol = this.symbols.get(handle) ?? "";
      if (!this.last.has(symbol)) this.breaches.push(`${symbol}: a trade after the end`);
      const last = this.last.get(symbol);
      if (last !== undefined && seq !== last + 1) this.breaches.push(`${symbol}: ${seq} after ${last}`);
      this.last.set(symbol, seq);
      const expected = tradeOf(symbol, seq);
      assert.deepEqual(
        [time, price, size, side, id],
        [expected.eventTime, expected.price, expected.size, expected.side, expected.id],
      );
      this.got.push(tick);
    }
  }
}

/** Everything of a trade follows from its symbol and number. */
export function tradeOf(symbol: string, seq: number): TradeRecord {
  const record = new TradeRecord();
  const id = seq % 5 === 0 ? null : seq % 7 === 0 ? `"${symbol}\\${seq}"` : "x".repeat(seq % 36) + String(seq % 10);
  return Object.assign(record, {
    symbol,
    seq,
    epoch: 1,
    state: LIVE,
    eventTime: 1_000_000_000_000_000 + seq,
    price: seq + 0.25,
    size: (seq % 100) + 1,
    side: (seq % 3) - 1,
    id,
  });
}

export function openTape(subprotocol: Subprotocol = "tickgate.v1.msgpack", own = {}, authority?: Authority) {
  const client = new TapeClient();
  const bench = new SessionBench(subprotocol, client, own, undefined, authority);
  const { markets, counts } = bench.context;
  const market = markets.of("trade");
  client.newestOf = (symbol) => market.table.seq[market.table.rowOf(symbol)];
  const ingest = new Ingest(market.table, market.topics, counts, bench.clock);
  const trade = (symbol: string, seq: number, part: Partial<TradeRecord> = {}) => {
    const record = Object.assign(tradeOf(symbol, seq), part);
    record.since = record.receivedAt = record.sentAt = bench.clock.micros();
    ingest.record(record);
    ingest.batchEnd();
  };
  return {
    bench,
    client,
    trade,
    market,
    subscribe: (message: { last?: number; [key: string]: unknown } = {}) => {
      client.asked = message.last ?? 0;
      bench.send({ op: "subscribe", channel: "trade", symbols: ["A"], ...message });
    },
  };
}
