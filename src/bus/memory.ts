/**
 * The bus within one process: gateway and feeds side by side, no Redis. A batch is what changed in one turn of the
 * event loop; the publisher's own table is the last-value store.
 */
import { type Clock, SystemClock } from "../base/clock.ts";
import { BusRecord } from "../market/bus_record.ts";
import { HeardFeed } from "../market/heard_feed.ts";
import type { PublisherTable } from "../market/publisher_table.ts";
import type { BusListener, BusReader, BusWriter, HeardStream } from "./bus.ts";
import { ChangedRows } from "./changed_rows.ts";
import { Handover } from "./handover.ts";

export class MemoryBus implements BusReader {
  readonly #clock: Clock;
  readonly #createFeed: (name: string) => HeardFeed;
  readonly #writers: MemoryWriter[] = [];
  #listener: BusListener | undefined;

  /** @param createFeed makes what is counted of a feed */
  constructor(clock: Clock = new SystemClock(), createFeed = (name: string) => new HeardFeed(name)) {
    this.#clock = clock;
    this.#createFeed = createFeed;
  }

  /** The publisher's end for one more feed. */
  writer(feed = ""): BusWriter {
    const heard = this.#createFeed(feed);
    const writer = new MemoryWriter(this.#writers.length, heard, this.#clock, () => this.#listener);
    this.#writers.push(writer);
    return writer;
  }

  async start(listener: BusListener): Promise<void> {
    this.#listener = listener;
    for (const writer of this.#writers) writer.all();
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

class MemoryWriter implements BusWriter {
  readonly #record = new BusRecord();
  readonly feed: HeardFeed;
  readonly #clock: Clock;
  readonly #listener: () => BusListener | undefined;
  #table: PublisherTable | undefined;
  #handover = new Handover();
  readonly #changed = new ChangedRows();
  /** The listener's rows, by those of the table. */
  readonly #rows: number[] = [];
  #scheduled: NodeJS.Immediate | undefined;
  #batches = 0;
  #writtenAt: number;

  constructor(stream: number, feed: HeardFeed, clock: Clock, listener: () => BusListener | undefined) {
    this.#record.stream = stream;
    // A process has one reign: its feeds start afresh with it, and its table with them.
    this.#record.epoch = 1;
    this.#record.feed = this.feed = feed;
    this.#clock = clock;
    this.#listener = listener;
    this.#writtenAt = clock.millis();
  }

  async start(table: PublisherTable, handover = new Handover()): Promise<void> {
    this.#handover = handover;
    this.#table = table;
  }

  /** What the listener hears: all that is written, always. */
  heard(): HeardStream {
    const { stream, epoch } = this.#record;
    const [batch, heardAt] = [this.#batches, this.#writtenAt];
    return { stream, feed: this.feed.name, shard: 0, epoch, batch, heardAt, isSilent: false, isMissing: false };
  }

  changed(row: number): void {
    if (this.#changed.add(row)) this.#scheduled ??= setImmediate(() => this.#write());
  }

  /** Marks every row as changed: a gateway begins to listen. */
  all(): void {
    for (let row = 0; row < (this.#table?.rows ?? 0); row++) this.changed(row);
  }

  async close(): Promise<void> {
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
        this.#table.read(row, record);
        record.sentAt = sentAt;
        if (Number.isNaN(record.receivedAt)) record.receivedAt = sentAt;
        this.#handover.taken(row, record.seq, record.receivedAt, sentAt);
        while (this.#rows.length <= row) this.#rows.push(-1);
        record.row = this.#rows[row];
        this.#rows[row] = listener.record(record);
      }
      listener.batchEnd();
      this.feed.transit.observe(this.#clock.micros() - sentAt);
      this.#batches++;
      this.#writtenAt = this.#clock.millis();
    }
  }
}
