/** A publisher and a gateway on one bus, for tests: the input of one is compared with the output of the other. */
import assert from "node:assert/strict";
import { pino } from "pino";
import { SystemClock } from "../../src/base/clock.ts";
import type { BusListener, BusReader } from "../../src/bus/bus.ts";
import { type Bus, type BusSettings, openBus } from "../../src/bus/open.ts";
import type { ReaderCounts } from "../../src/bus/redis/reading/reader_counts.ts";
import type { RedisWriter } from "../../src/bus/redis/writing/writer.ts";
import { Publisher } from "../../src/feed/publisher.ts";
import { GatewayTable } from "../../src/market/gateway_table.ts";
import { PublisherTable } from "../../src/market/publisher_table.ts";

const clock = new SystemClock();
export const quiet = pino({ level: process.env.TEST_LOG ?? "silent" }, pino.destination(2));

/** Settings of the bus for tests: few shards, so that each has several symbols. */
export function busSettings(redisUrl: string, more: Partial<BusSettings> = {}): BusSettings {
  return {
    redisUrl,
    redisUsername: "",
    redisPassword: "",
    redisCa: "",
    redisPrefix: "tickgate",
    busShards: 8,
    busSilence: 2_000,
    busLinger: 30_000,
    metrics: true,
    clockSkewWarning: 50,
    node: "test",
    ...more,
  };
}

/** Waits until a condition holds; fails after the given milliseconds. */
export async function until(what: string, condition: () => boolean, millis = 10_000): Promise<void> {
  for (const deadline = performance.now() + millis; !condition(); ) {
    if (performance.now() > deadline) assert.fail(`${what}: not within ${millis} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A feed's publisher, as in a process. */
export class TestFeed {
  readonly table = new PublisherTable(100_000);
  readonly bus: Bus;
  readonly writer: RedisWriter;
  readonly publisher: Publisher;
  /** Fulfilled once it leads for the first time. */
  readonly started: Promise<void>;
  #price = 0;

  constructor(settings: BusSettings, name = "SIM") {
    this.bus = openBus(settings, clock, quiet);
    const writer = this.bus.writer(name);
    this.writer = writer as RedisWriter;
    this.publisher = new Publisher(this.table, writer, clock);
    this.started = writer.start(this.table);
    // A test may close a feed that never led.
    this.started.catch(() => {});
  }

  /** One tick of each of the first symbols. */
  tick(symbols: number): void {
    for (let index = 0; index < symbols; index++) this.tickOne(`SIM:${index}`);
  }

  tickOne(symbol: string): void {
    this.publisher.tick(symbol, { bid: ++this.#price, volume: this.#price / 3 }, clock.micros());
  }

  async close(): Promise<void> {
    await this.bus.close();
  }
}

/** A gateway's end: a market table, and which streams are silent. */
export class TestGateway implements BusListener {
  readonly table = new GatewayTable(100_000);
  readonly bus: Bus;
  readonly reader: BusReader;
  readonly started: Promise<void>;
  readonly silentStreams = new Set<number>();
  /** Times that a symbol's seq went back. */
  resets = 0;
  healed = 0;

  constructor(settings: BusSettings, symbols?: readonly string[]) {
    this.bus = openBus(settings, clock, quiet);
    this.reader = this.bus.reader();
    if (symbols) for (const symbol of symbols) this.reader.follow(symbol);
    else this.reader.follow();
    this.started = this.reader.start(this);
  }

  get counts(): ReaderCounts {
    return this.bus.readerCounts() as ReaderCounts;
  }

  record(record: Parameters<BusListener["record"]>[0]): number {
    const row = this.table.rowOf(record.symbol);
    const before = row < 0 ? 0 : this.table.seq[row];
    this.table.apply(record);
    if (record.healed) this.healed++;
    if (row >= 0 && this.table.seq[row] < before) {
      this.resets++;
      assert.equal(this.table.resetVersion[row], this.table.version[row], "seq went back without a reset");
    }
    return row;
  }

  batchEnd(): void {}

  silent(stream: number): void {
    this.silentStreams.add(stream);
  }

  speaking(stream: number): void {
    this.silentStreams.delete(stream);
  }

  /** Whether every symbol here is silent. */
  get isSilent(): boolean {
    return this.table.knownCount > 0 && this.#streams().every((stream) => this.silentStreams.has(stream));
  }

  get isHeard(): boolean {
    return this.#streams().every((stream) => !this.silentStreams.has(stream));
  }

  /** Whether every symbol of the feed is equal here and there. */
  equals(feed: TestFeed): boolean {
    return this.difference(feed) === "";
  }

  /** The differences, for an error message. */
  difference(feed: TestFeed): string {
    const from = feed.table;
    for (let row = 0; row < from.rows; row++) {
      const own = this.table.rowOf(from.symbols[row]);
      if (own < 0) return `${from.symbols[row]} is missing`;
      if (this.table.seq[own] !== from.seq[row])
        return `${from.symbols[row]}: seq ${this.table.seq[own]} is not ${from.seq[row]}`;
      for (const field of [0, 9])
        if (!Object.is(this.table.payload.values[own * 10 + field], from.payload.values[row * 10 + field]))
          return `${from.symbols[row]}: value ${this.table.payload.values[own * 10 + field]} is not ${from.payload.values[row * 10 + field]}`;
      if (this.table.state[own] !== from.state[row]) return `${from.symbols[row]}: state`;
    }
    return "";
  }

  async settles(feed: TestFeed, millis = 2_000): Promise<void> {
    try {
      await until("the gateway has what the feed has", () => this.equals(feed), millis);
    } catch (error) {
      throw new Error(`${(error as Error).message}: ${this.difference(feed)}`, { cause: error });
    }
  }

  async close(): Promise<void> {
    await this.bus.close();
  }

  #streams(): number[] {
    return [...this.table.known.subarray(0, this.table.knownCount)].map((row) => this.table.stream[row]);
  }
}
