/** For the tests of feeds: a log and a sink that record, and a market behind a real bus. */
import { EventEmitter, once } from "node:events";
import { type Logger, pino } from "pino";
import { type Clock, SystemClock } from "../../src/base/clock.ts";
import { FIELD_COUNT, FIELDS, STATES, type TickPatch } from "../../src/base/tick.ts";
import { MemoryBus } from "../../src/bus/memory.ts";
import type { FeedContext, FeedSink, SkipReason } from "../../src/feed/adapter.ts";
import { Publisher } from "../../src/feed/publisher.ts";
import type { Bar } from "../../src/market/bar/bar_record.ts";
import type { BarRange } from "../../src/market/bar/missing_bars.ts";
import type { BookSides } from "../../src/market/book/book_payload.ts";
import { GatewayTable } from "../../src/market/gateway_table.ts";
import { type BarMarketName, barLength } from "../../src/market/market_name.ts";
import { PublisherTable } from "../../src/market/publisher_table.ts";
import type { Trade } from "../../src/market/trade/trade_ring.ts";
import { CHANNELS } from "../../src/protocol/messages.ts";

/** The longest wait for a condition. */
const DEADLINE_MILLIS = 10_000;

/** A log whose lines a test can read. */
export class KeptLog {
  readonly lines: { level: number; msg: string; [key: string]: unknown }[] = [];
  readonly log: Logger = pino(
    { level: "trace", base: null },
    {
      write: (text: string) => {
        this.lines.push(JSON.parse(text));
        this.changed.emit("change");
      },
    },
  );
  readonly changed = new EventEmitter();

  messages(): string[] {
    return this.lines.map((line) => line.msg);
  }
}

/** A sink that records its calls. */
export class KeptSink implements FeedSink {
  readonly ticks: { symbol: string; patch: TickPatch; eventTime: number | undefined }[] = [];
  readonly trades: (Trade & { symbol: string; eventTime: number | undefined })[] = [];
  readonly books: { symbol: string; bids: number[]; asks: number[]; eventTime: number | undefined }[] = [];
  readonly states: string[] = [];
  readonly skipped: SkipReason[] = [];
  readonly past: { symbol: string; market: BarMarketName; bars: readonly Bar[] }[] = [];
  /** Bars of before are not missing. */
  oldestBar = 0;
  connects = 0;
  disconnects = 0;
  readonly changed = new EventEmitter();

  tick(symbol: string, patch: TickPatch, eventTime?: number): void {
    this.ticks.push({ symbol, patch: { ...patch }, eventTime });
    this.changed.emit("change");
  }

  trade(symbol: string, trade: Trade, eventTime?: number): void {
    this.trades.push({ symbol, ...trade, eventTime });
    this.changed.emit("change");
  }

  book(symbol: string, { bids, asks }: BookSides, eventTime?: number): void {
    this.books.push({ symbol, bids: Array.from(bids), asks: Array.from(asks), eventTime });
    this.changed.emit("change");
  }

  bookLost(symbol: string, reason: string): void {
    this.states.push(`book lost: ${symbol} ${reason}`);
    this.changed.emit("change");
  }

  connected(): void {
    this.connects++;
  }

  disconnected(): void {
    this.disconnects++;
  }

  stale(reason: string): void {
    this.states.push(`stale: ${reason}`);
    this.changed.emit("change");
  }

  closed(reason: string): void {
    this.states.push(`closed: ${reason}`);
    this.changed.emit("change");
  }

  takesPastBars = true;

  /** All are missing. */
  missingBars(_: string, market: BarMarketName, from: number, end: number, most: number): BarRange | undefined {
    const length = barLength(market);
    const start = Math.max(from, end - most * length, this.oldestBar);
    return start < end ? { start, count: (end - start) / length } : undefined;
  }

  pastBars(symbol: string, market: BarMarketName, bars: readonly Bar[]): void {
    this.past.push({ symbol, market, bars });
    this.changed.emit("change");
  }

  skip(reason: SkipReason): void {
    this.skipped.push(reason);
    this.changed.emit("change");
  }
}

/** Waits until a condition holds; checks it at each change. */
export async function until(emitter: EventEmitter, condition: () => boolean, what: string): Promise<void> {
  const deadline = AbortSignal.timeout(DEADLINE_MILLIS);
  while (!condition()) {
    try {
      await once(emitter, "change", { signal: deadline });
    } catch (error) {
      throw new Error(`waited ${DEADLINE_MILLIS} ms for ${what}`, { cause: error });
    }
  }
}

/** A feed's context that records everything. */
export function keptContext(clock: Clock = new SystemClock()): FeedContext & { sink: KeptSink; kept: KeptLog } {
  const kept = new KeptLog();
  return { sink: new KeptSink(), clock, log: kept.log, kept, channels: new Set(CHANNELS) };
}

/** A gateway's view of a feed: publisher, memory bus and the market table at the far end. */
export class FarMarket {
  readonly table = new GatewayTable(100_000);
  readonly changed = new EventEmitter();
  readonly kept = new KeptLog();
  readonly publisher: Publisher;
  readonly context: FeedContext;

  private constructor(publisher: Publisher, clock: Clock) {
    this.publisher = publisher;
    this.context = { sink: publisher, clock, log: this.kept.log, channels: new Set(["quote"]) };
  }

  static async open(clock: Clock = new SystemClock()): Promise<FarMarket> {
    const bus = new MemoryBus();
    const writer = bus.writer();
    const near = new PublisherTable(100_000);
    await writer.start(near);
    const market = new FarMarket(new Publisher(near, writer, clock), clock);
    await bus.start({
      record: (record) => {
        market.table.apply(record);
        return -1;
      },
      batchEnd: () => void market.changed.emit("change"),
      silent: () => {},
      speaking: () => {},
    });
    return market;
  }

  /** The known values of a symbol by name; undefined when there has been no tick. */
  values(symbol: string): TickPatch | undefined {
    const row = this.table.rowOf(symbol);
    if (row < 0) return undefined;
    const patch: TickPatch = {};
    for (const [index, field] of FIELDS.entries()) {
      const value = this.table.payload.values[row * FIELD_COUNT + index];
      if (!Number.isNaN(value)) patch[field] = value;
    }
    return patch;
  }

  state(symbol: string): string | undefined {
    return STATES[this.table.state[this.table.rowOf(symbol)]];
  }

  /** The reason of its state. */
  reason(symbol: string): string | undefined {
    return this.table.reasons[this.table.rowOf(symbol)];
  }
}
