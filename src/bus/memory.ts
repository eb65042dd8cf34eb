/**
 * The bus within one process: gateway and feeds side by side, no Redis. A batch is what changed in one turn of the
 * event loop; the publisher's own table is the last-value store.
 */
import { type Clock, SystemClock } from "../base/clock.ts";
import { BusRecord } from "../market/bus_record.ts";
import { HeardFeed } from "../market/heard_feed.ts";
import type { MarketName } from "../market/market_name.ts";
import type { Payload } from "../market/payload.ts";
import type { PublisherTable } from "../market/publisher_table.ts";
import type { BusListener, BusReader, BusWriter, ChannelTables, HeardStream } from "./bus.ts";
import { ChangedRows } from "./changed_rows.ts";
import { Handover } from "./handover.ts";

/** A process has one leadership of each feed. */
const EPOCH = 1;

export class MemoryBus implements BusReader {
  readonly #clock: Clock;
  readonly #createFeed: (name: string) => HeardFeed;
  readonly #writers: MemoryWriter[] = [];
  #listener: BusListener | undefined;
  /** The buses of the other channels. */
  readonly #others = new Map<MarketName, MemoryBus>();

  /** @param createFeed makes what is counted of a feed */
  constructor(clock: Clock = new SystemClock(), createFeed = (name: string) => new HeardFeed(name)) {
    this.#clock = clock;
    this.#createFeed = createFeed;
  }

  ofMarket(channel: MarketName): MemoryBus {
    if (channel === "quote") return this;
    const found = this.#others.get(channel) ?? new MemoryBus(this.#clock, this.#createFeed);
    this.#others.set(channel, found);
    return found;
  }

  /** The publisher's end for one more feed. */
  writer(feed = ""): BusWriter {
    return new MemoryFeedWriter((channel) => this.ofMarket(channel).#channelWriter(feed));
  }

  #channelWriter(feed: string): MemoryWriter {
    const heard = this.#createFeed(feed);
    const writer = new MemoryWriter(this.#writers.length, heard, this.#clock, () => this.#listener);
    this.#writers.push(writer);
    return writer;
  }

  async start(listener: BusListener): Promise<void> {
    this.#listener = listener;
    for (const writer of this.#writers) writer.writeAll();
  }

  /** One process has one part: all is followed always. */
  follow(): void {}

  unfollow(): void {}

  isKnown(): boolean {
    return this.#listener !== undefined;
  }

  feeds(): HeardFeed[] {
    return this.#writers.map((writer) => writer.feed);
  }

  heard(): HeardStream[] {
    return this.#writers.map((writer) => writer.heard());
  }

  unready(): string | undefined {
    return this.#listener ? undefined : "not started";
  }

  async close(): Promise<void> {
    this.#listener = undefined;
  }
}

/** Writes all channels of one feed. */
class MemoryFeedWriter implements BusWriter {
  isLeading = false;
  readonly #create: (channel: MarketName) => MemoryWriter;
  readonly #quotes: MemoryWriter;
  readonly #others = new Map<MarketName, MemoryWriter>();

  constructor(create: (channel: MarketName) => MemoryWriter) {
    this.#create = create;
    this.#quotes = create("quote");
  }

  async start(table: PublisherTable, handover?: Handover, others: ChannelTables = new Map()): Promise<void> {
    this.isLeading = true;
    this.#quotes.start(table, handover);
    for (const [channel, other] of others) {
      const writer = this.#create(channel);
      writer.start(other);
      this.#others.set(channel, writer);
    }
  }

  changed(row: number, channel: MarketName = "quote"): void {
    const writer = channel === "quote" ? this.#quotes : this.#others.get(channel);
    writer?.changed(row);
  }

  async close(): Promise<void> {
    this.#quotes.close();
    for (const writer of this.#others.values()) writer.close();
  }
}

/** Writes one channel. */
class MemoryWriter {
  #record = new BusRecord();
  readonly feed: HeardFeed;
  readonly #clock: Clock;
  readonly #listener: () => BusListener | undefined;
  #table: PublisherTable<Payload> | undefined;
  #handover = new Handover();
  readonly #changed = new ChangedRows();
  /** The listener's rows, by those of the table. */
  readonly #rows: number[] = [];
  /** The last number that was written of each row. */
  readonly #written: number[] = [];
  readonly #stream: number;
  #scheduled: NodeJS.Immediate | undefined;
  #batches = 0;
  #writtenAt: number;

  constructor(stream: number, feed: HeardFeed, clock: Clock, listener: () => BusListener | undefined) {
    this.#stream = stream;
    this.feed = feed;
    this.#clock = clock;
    this.#listener = listener;
    this.#writtenAt = clock.millis();
  }

  start(table: PublisherTable<Payload>, handover = new Handover()): void {
    this.#handover = handover;
    this.#table = table;
    this.#record = table.payload.createRecord();
    this.#record.stream = this.#stream;
    this.#record.epoch = EPOCH;
    this.#record.feed = this.feed;
    this.writeAll();
  }

  /** What the listener hears: all that is written, always. */
  heard(): HeardStream {
    const [stream, batch, heardAt] = [this.#stream, this.#batches, this.#writtenAt];
    return { stream, feed: this.feed.name, shard: 0, epoch: EPOCH, batch, heardAt, isSilent: false, isMissing: false };
  }

  changed(row: number): void {
    if (this.#changed.add(row)) this.#scheduled ??= setImmediate(() => this.#write());
  }

  /** Writes every row: a gateway begins to listen. */
  writeAll(): void {
    this.#written.fill(0);
    for (let row = 0; row < (this.#table?.rows ?? 0); row++) this.changed(row);
    this.close();
  }

  /** Writes what has changed. */
  close(): void {
    if (this.#scheduled) clearImmediate(this.#scheduled);
    this.#write();
  }

  #write(): void {
    this.#scheduled = undefined;
    const rows = this.#changed.take();
    const listener = this.#listener();
    if (listener && this.#table) {
      const record = this.#record;
      const sentAt = this.#clock.micros();
      for (const row of rows) {
        while (this.#rows.length <= row) {
          this.#rows.push(-1);
          this.#written.push(0);
        }
        for (let back = this.#table.payload.countSince(row, this.#written[row]) - 1; back >= 0; back--) {
          this.#table.read(row, record, back);
          record.sentAt = sentAt;
          if (Number.isNaN(record.receivedAt)) record.receivedAt = sentAt;
          this.#handover.taken(row, record.seq, record.receivedAt, sentAt);
          record.row = this.#rows[row];
          this.#rows[row] = listener.record(record);
        }
        this.#written[row] = record.seq;
        // The table itself is the store.
        this.#table.payload.takeDropped?.(row);
      }
      listener.batchEnd();
      this.feed.transit.observe(this.#clock.micros() - sentAt);
      this.#batches++;
      this.#writtenAt = this.#clock.millis();
    }
  }
}
