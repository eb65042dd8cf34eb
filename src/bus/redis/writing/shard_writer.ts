/**
 * One feed's writes to one shard: at most one under way, and the rows that have changed meanwhile, each once. A batch
 * that failed is never sent again: its rows are written anew, as they stand then, under a new number.
 */

import type { Logger } from "pino";
import type { Clock } from "../../../base/clock.ts";
import type { ClockReading } from "../../../base/clock_offset.ts";
import type { BusRecord } from "../../../market/bus_record.ts";
import type { Payload } from "../../../market/payload.ts";
import type { PublisherTable } from "../../../market/publisher_table.ts";
import { ChangedRows } from "../../changed_rows.ts";
import type { Handover } from "../../handover.ts";
import { fieldDetail } from "../../wire/record_codec.ts";
import { type BatchEncoder, MAX_BATCH_RECORDS, type Mark, parseMark } from "../../wire/wire.ts";
import { RedisDownError, type RedisLink } from "../connection/link.ts";
import { WRITE } from "../script.ts";
import type { RedisKeys } from "../shard.ts";
import type { WriterCounts } from "./writer_counts.ts";

/** A shard on which nothing was written for so long gets an empty batch, in milliseconds. */
export const HEARTBEAT_INTERVAL = 500;
/** How long a write may take before it counts as failed, in milliseconds. */
const WRITE_TIMEOUT = 2_000;
/** How long after a failure the next try is, in milliseconds. */
const RETRY_DELAY = 200;

/** What the shards of one feed share. */
export interface ShardOwner {
  readonly feed: string;
  readonly keys: RedisKeys;
  readonly link: RedisLink;
  readonly isSharded: boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly table: PublisherTable<Payload>;
  readonly encoder: BatchEncoder;
  readonly record: BusRecord;
  readonly counts: WriterCounts;
  readonly handover: Handover;
  /** How our clock stands. */
  readonly offset: ClockReading;
  /** The rows of a shard that have had a tick. */
  rowsOf(shard: number): Iterable<number>;
  /** A write was refused: a later epoch has begun. */
  fenced(): void;
  /** A write failed, and will be tried again. */
  failed(error: Error): void;
  /** There is something to write when the event loop comes round. */
  more(): void;
}

export class ShardWriter {
  /** Whether the feed has symbols here; only then is there a heartbeat. */
  hasRows = false;
  readonly #owner: ShardOwner;
  readonly #shard: number;
  readonly #keys: readonly [string, string];
  readonly #changed = new ChangedRows();
  /** The rows of the write under way; and, as they stood in it, their `seq` and when they were received. */
  #sent: number[] = [];
  readonly #sentSeq: number[] = [];
  readonly #sentReceipt: number[] = [];
  /** Of series: the last number of each row that Redis is known to have. */
  readonly #written = new Map<number, number>();
  /** Names of fields that the store is to drop. */
  readonly #dropped: string[] = [];
  /** Those of the write under way. */
  #sentDropped: string[] = [];
  /** When its batch was made, microseconds since the Unix epoch. */
  #sentAt = 0;
  #isWriting = false;
  #writtenAt = Number.NEGATIVE_INFINITY;
  #retryAt = Number.NEGATIVE_INFINITY;
  #epoch = 0;
  /** The last batch's number. */
  #number = 0;
  /** The number of the last batch that Redis is known to have had. */
  #acknowledged = 0;

  constructor(owner: ShardOwner, shard: number) {
    this.#owner = owner;
    this.#shard = shard;
    this.#keys = [owner.keys.hash(shard), owner.keys.channel(shard)];
  }

  get isIdle(): boolean {
    return !this.#isWriting && this.#changed.size === 0;
  }

  /** Begins an epoch: nothing is unwritten, whatever is under way is of the past. */
  reset(epoch: number): void {
    this.#changed.take();
    this.#written.clear();
    this.#sent.length = 0;
    this.#dropped.length = 0;
    this.#isWriting = false;
    this.#epoch = epoch;
    this.#number = this.#acknowledged = 0;
    this.#retryAt = Number.NEGATIVE_INFINITY;
  }

  /** The shard is ours, and its last batch in this epoch had this number. */
  fenced(number: number): void {
    this.#number = this.#acknowledged = number;
  }

  /** The store has the row up to this number: of a series, those after it are to be written. */
  adopted(row: number, seq: number): void {
    const { isSeries } = this.#owner.table.payload;
    if (isSeries) this.#written.set(row, Math.max(seq, this.#written.get(row) ?? 0));
  }

  changed(row: number): void {
    this.#changed.add(row);
    this.hasRows = true;
  }

  /** Writes what has changed, unless a write is under way. @returns whether it has */
  write(now: number): boolean {
    if (this.#changed.size === 0 || !this.#canWrite(now)) return false;
    this.#write();
    return true;
  }

  /** Writes, be it an empty batch. */
  heartbeat(): void {
    if (this.hasRows && this.#canWrite(this.#owner.clock.millis())) this.#write();
  }

  /** To be called several times a second: heartbeats, and what has failed. */
  tend(now: number): void {
    if (this.#isWriting && now - this.#writtenAt > WRITE_TIMEOUT) this.#failed(new RedisDownError("no answer"));
    if (now - this.#writtenAt >= HEARTBEAT_INTERVAL) this.heartbeat();
    else this.write(now);
  }

  #canWrite(now: number): boolean {
    return !this.#isWriting && now >= this.#retryAt && this.#owner.link.isUp;
  }

  #write(): void {
    const owner = this.#owner;
    const batch = this.#encode();
    const epoch = this.#epoch;
    const number = this.#number;
    this.#isWriting = true;
    this.#writtenAt = owner.clock.millis();
    const command = owner.isSharded ? "SPUBLISH" : "PUBLISH";
    const args = [command, owner.feed, epoch, number, batch.message, batch.start, batch.lengths, batch.prefix];
    if (batch.elements < 16) args.push(batch.elements);
    this.#sentDropped = batch.details === "" ? [] : this.#dropped.splice(0);
    if (batch.details !== "") args.push(batch.details, this.#sentDropped.join(","));
    WRITE.run(owner.link, this.#keys, args, WRITE_TIMEOUT).then(
      (answer) => {
        if (this.#isCurrent(epoch, number)) this.#answered(answer as [number, Buffer]);
      },
      (error: Error) => {
        if (this.#isCurrent(epoch, number)) this.#failed(error);
      },
    );
  }

  /** Whether an answer is to the write under way, and not to one that was given up. */
  #isCurrent(epoch: number, number: number): boolean {
    return this.#isWriting && epoch === this.#epoch && number === this.#number;
  }

  #encode() {
    const { encoder, table, record, counts, clock, offset } = this.#owner;
    const rows = this.#changed.take(MAX_BATCH_RECORDS);
    this.#sent.length = 0;
    let room = encoder.maxRecords;
    this.#sentAt = clock.micros();
    this.#sentSeq.length = this.#sentReceipt.length = 0;
    encoder.begin(this.#epoch, ++this.#number, this.#sentAt);
    const { payload } = table;
    const { isSeries } = payload;
    for (const row of rows) {
      const before = room;
      let back = isSeries ? payload.countSince(row, this.#written.get(row) ?? 0) - 1 : 0;
      for (; back >= 0 && room > 0; back--, room--) {
        table.read(row, record, back);
        encoder.add(record);
      }
      const dropped = payload.takeDropped?.(row) ?? [];
      for (const start of dropped) this.#dropped.push(`${table.symbols[row]} ${fieldDetail(start)}`);
      // What has no room comes with the next batch.
      if (back >= 0) this.#changed.add(row);
      if (room === before) continue;
      this.#sent.push(row);
      this.#sentSeq.push(record.seq);
      this.#sentReceipt.push(record.receivedAt);
    }
    const batch = encoder.end(offset);
    const count = encoder.maxRecords - room;
    if (count === 0) counts.heartbeats++;
    counts.batches++;
    counts.records += count;
    counts.bytes += batch.message.length;
    return batch;
  }

  #answered([code, text]: [number, Buffer]): void {
    const mark = parseMark(text);
    if (code !== 1) return this.#refused(mark);
    this.#isWriting = false;
    const isLost = mark?.epoch !== this.#epoch || mark.number < this.#acknowledged;
    this.#acknowledged = this.#number;
    const { handover, table } = this.#owner;
    if (table.payload.isSeries)
      for (let index = 0; index < this.#sent.length; index++)
        this.#written.set(this.#sent[index], this.#sentSeq[index]);
    for (let index = 0; index < this.#sent.length; index++)
      handover.taken(this.#sent[index], this.#sentSeq[index], this.#sentReceipt[index], this.#sentAt);
    if (isLost) this.#heal();
    if (this.#changed.size > 0) this.#owner.more();
  }

  #refused(mark: Mark | undefined): void {
    if (mark && mark.epoch === this.#epoch) {
      // An earlier try was written after all, or this one twice: go on behind it.
      this.#number = Math.max(this.#number, mark.number);
      this.#failed(new Error("the batch's number was used already"));
      return;
    }
    this.#isWriting = false;
    this.#owner.fenced();
  }

  #failed(error: Error): void {
    const { counts, clock } = this.#owner;
    counts.failures++;
    this.#owner.failed(error);
    this.#isWriting = false;
    this.#retryAt = clock.millis() + RETRY_DELAY;
    for (const row of this.#sent) this.changed(row);
    this.#sent.length = 0;
    this.#dropped.unshift(...this.#sentDropped);
  }

  /** The store does not have what it once acknowledged: it was restarted, or a replica that lagged took over. */
  #heal(): void {
    const { counts, log, feed, rowsOf, table } = this.#owner;
    counts.healed++;
    log.warn({ feed, shard: this.#shard }, "Redis has lost what it had of the shard; writing it again");
    for (const row of rowsOf(this.#shard)) {
      // All of its bars. Of trades only the newest is in the store.
      if (table.payload.takeover) this.#written.delete(row);
      this.changed(row);
    }
  }
}
