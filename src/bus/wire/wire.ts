/**
 * What publishers and gateways say to each other through Redis: batches and the values of the last-value hashes.
 * docs/bus.md is the description for people; the numbers here and there must stay the same.
 */

import { type ClockReading, UNKNOWN_CLOCK } from "../../base/clock_offset.ts";
import { SYMBOL_LENGTH } from "../../base/tick.ts";
import type { BusRecord } from "../../market/bus_record.ts";
import type { MarketName } from "../../market/market_name.ts";
import { Packer } from "../../msgpack/packer.ts";
import type { MalformedReason } from "./malformed.ts";
import { codecOf, type RecordCodec } from "./record_codec.ts";
import { SymbolCache } from "./symbol_cache.ts";
import { MessagePackReader, WireError } from "./unpack.ts";

/** The version of the wire format; a batch of another version is not read. */
export const WIRE_VERSION = 1;
/** The most records in one batch, of any channel. */
export const MAX_BATCH_RECORDS = 1_000;
/** The longest name of a feed; it is part of every value in the store. */
export const MAX_FEED_BYTES = 64;
/** The longest reason for a state: it goes to every client that has the symbol. */
const MAX_REASON_BYTES = 255;
/**
 * Times are of these years, in microseconds since the Unix epoch: from 2000, so that one in seconds or milliseconds
 * shows, to 2100, so that one in nanoseconds does.
 */
const MIN_TIME = 946_684_800_000_000;
const MAX_TIME = 4_102_444_800_000_000;
/** Version, feed, epoch, number, time, shards and records. */
const HEAD_LENGTH = 7;
/** And how the publisher's clock stands, which readers may do without. */
const FULL_HEAD_LENGTH = HEAD_LENGTH + 2;
/**
 * Symbol, seq, event time, state, since and reason. Then comes what the channel has, and when it was received, which
 * readers may do without.
 */
const RECORD_HEAD = 6;
/** The longest of it: 64 characters of symbol, 255 of reason, five numbers of 9 bytes, and the heads. */
const MAX_RECORD_HEAD_BYTES = 384;
const MAX_HEAD_BYTES = 512;

/** What a batch says before its records. */
export interface BatchHead {
  feed: string;
  epoch: number;
  /** Counts the batches of this feed on this shard in this epoch, by one, from 1. */
  number: number;
  /** When it was made, microseconds since the Unix epoch. */
  sentAt: number;
  /** How many shards the publisher has: must be as many as the gateway has. */
  shards: number;
  /** How many records follow. */
  records: number;
}

/** A batch as the write script takes it. */
export interface EncodedBatch {
  readonly message: Buffer;
  /** Where the first record stands in the message, from 0. */
  readonly start: number;
  /** Each record's length in bytes, two bytes big-endian. */
  readonly lengths: Buffer;
  /** What stands before a record in the last-value hash: the head of `[feed, epoch, record]`. */
  readonly prefix: Buffer;
  /** The fewest elements of a record. */
  readonly elements: number;
  /** What follows the symbol in the names of the records' fields, one after the other; empty where nothing does. */
  readonly details: string;
}

/** Writes batches of one channel of one feed. */
export class BatchEncoder {
  readonly #feed: string;
  readonly #shards: number;
  readonly #codec: RecordCodec;
  readonly #packer: Packer;
  readonly #lengths = Buffer.alloc(MAX_BATCH_RECORDS * 2);
  #prefixEpoch = -1;
  #prefix: Buffer = Buffer.alloc(0);
  #start = 0;
  #count = 0;
  #details = "";

  constructor(feed: string, shards: number, market: MarketName = "quote") {
    this.#feed = feed;
    this.#shards = shards;
    this.#codec = codecOf(market);
    const { maxRecords, maxBytes } = this.#codec;
    this.#packer = new Packer(MAX_HEAD_BYTES + maxRecords * (MAX_RECORD_HEAD_BYTES + maxBytes));
  }

  /** How many records a batch may have. */
  get maxRecords(): number {
    return this.#codec.maxRecords;
  }

  begin(epoch: number, number: number, sentAt: number): void {
    if (epoch !== this.#prefixEpoch) this.#makePrefix(epoch);
    const packer = this.#packer;
    packer.position = 0;
    packer.array(FULL_HEAD_LENGTH);
    packer.number(WIRE_VERSION);
    packer.text(this.#feed);
    packer.number(epoch);
    packer.number(number);
    packer.number(sentAt);
    packer.number(this.#shards);
    packer.array(0);
    this.#start = packer.position;
    this.#count = 0;
    this.#details = "";
  }

  /** Adds a record: at most {@link maxRecords}. */
  add(record: BusRecord): void {
    const packer = this.#packer;
    const from = packer.position;
    packRecord(packer, record, this.#codec);
    if (this.#codec.fieldDetail) this.#details += this.#codec.fieldDetail(record);
    this.#lengths.writeUInt16BE(packer.position - from, this.#count++ * 2);
  }

  /** @param clock how the publisher's clock stands */
  end(clock: ClockReading = UNKNOWN_CLOCK): EncodedBatch {
    const packer = this.#packer;
    packer.number(Math.round(clock.offset));
    packer.number(Math.round(clock.uncertainty));
    packer.patchArray(this.#start - 3, this.#count);
    return {
      message: Buffer.from(packer.bytes.subarray(0, packer.position)),
      start: this.#start,
      lengths: Buffer.from(this.#lengths.subarray(0, this.#count * 2)),
      prefix: this.#prefix,
      elements: RECORD_HEAD + this.#codec.elements,
      details: this.#details,
    };
  }

  #makePrefix(epoch: number): void {
    const packer = this.#packer;
    packer.position = 0;
    packer.array(3);
    packer.text(this.#feed);
    packer.number(epoch);
    this.#prefix = Buffer.from(packer.bytes.subarray(0, packer.position));
    this.#prefixEpoch = epoch;
  }
}

function packRecord(packer: Packer, record: BusRecord, codec: RecordCodec): void {
  const isReceiptKnown = !Number.isNaN(record.receivedAt);
  packer.array(RECORD_HEAD + codec.elements + (isReceiptKnown ? 1 : 0));
  packer.ascii(record.symbol);
  packer.number(record.seq);
  packer.number(record.eventTime);
  packer.number(record.state);
  packer.number(record.since);
  packer.text(record.reason);
  codec.write(packer, record);
  // As a difference it takes one to five bytes instead of nine.
  if (isReceiptKnown) packer.number(record.receivedAt - record.eventTime);
}

/** Reads batches and values of last-value hashes of one channel, into a record that is used again and again. */
export class BatchDecoder {
  readonly #codec: RecordCodec;
  readonly #unpacker = new MessagePackReader();
  readonly #symbols = new SymbolCache();
  readonly head: BatchHead = { feed: "", epoch: 0, number: 0, sentAt: 0, shards: 0, records: 0 };
  /** What stands behind the records of the batch that is read. */
  #behind = 0;
  #leftOut = "";

  constructor(market: MarketName = "quote") {
    this.#codec = codecOf(market);
  }

  /** Whether a symbol has several values in the store: they are taken over together, so that they keep their order. */
  get isSeries(): boolean {
    return this.#codec.fieldDetail !== undefined;
  }

  /** See {@link RecordCodec.keepsEach}. */
  get keepsEach(): boolean {
    return this.#codec.keepsEach;
  }

  createRecord(): BusRecord {
    return this.#codec.createRecord();
  }

  /**
   * Reads a batch up to its records, into {@link head}. Where that fails, `head.feed` is who has written it, or empty.
   * @throws WireError
   */
  begin(message: Buffer): BatchHead {
    const unpacker = this.#unpacker;
    const head = this.head;
    unpacker.reset(message);
    head.feed = "";
    const length = unpacker.array();
    if (length < 0) throw new WireError("the batch is no array");
    const version = unpacker.number();
    head.feed = unpacker.text(MAX_FEED_BYTES) ?? "";
    if (version !== WIRE_VERSION) throw new WireError(`version ${version} instead of ${WIRE_VERSION}`, "version");
    if (length < HEAD_LENGTH) throw new WireError(`the batch has ${length} elements`, "head");
    if (head.feed === "") throw new WireError("the feed's name is not of 1 to 64 bytes", "head");
    this.#behind = length - HEAD_LENGTH;
    head.epoch = unpacker.number();
    head.number = unpacker.number();
    head.sentAt = Math.round(unpacker.number());
    head.shards = unpacker.number();
    if (!isCount(head.epoch)) throw new WireError(`the epoch is ${head.epoch}`, "head");
    if (!isCount(head.number)) throw new WireError(`the batch's number is ${head.number}`, "head");
    if (!(head.sentAt >= 0 && head.sentAt <= MAX_TIME)) throw new WireError(`it was sent at ${head.sentAt}`, "head");
    if (!isCount(head.shards)) throw new WireError(`the number of shards is ${head.shards}`, "head");
    head.records = unpacker.array();
    if (head.records < 0) throw new WireError("the records are no array", "head");
    if (head.records > MAX_BATCH_RECORDS) throw new WireError(`the batch has ${head.records} records`, "records");
    return head;
  }

  /**
   * Reads the next record of the batch begun, or goes over it.
   * @returns why it is left out; undefined where it is good
   * @throws WireError when what comes behind it cannot be read either
   */
  next(record: BusRecord): MalformedReason | undefined {
    const unpacker = this.#unpacker;
    const from = unpacker.position;
    const reason = this.#read(record);
    if (reason === undefined) return undefined;
    unpacker.position = from;
    unpacker.skip();
    return reason;
  }

  /**
   * How many records come before the first good one; all where there is none. They are to be read afterwards.
   */
  countMalformed(record: BusRecord): number {
    const unpacker = this.#unpacker;
    const { position } = unpacker;
    const { records } = this.head;
    try {
      for (let index = 0; index < records; index++) if (this.next(record) === undefined) return index;
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
    } finally {
      unpacker.position = position;
    }
    return records;
  }

  /** What stands where the symbol of a record belongs that was left out just now, as far as it can be shown. */
  get leftOutSymbol(): string {
    return this.#leftOut;
  }

  #read(record: BusRecord): MalformedReason | undefined {
    const unpacker = this.#unpacker;
    const length = unpacker.array();
    this.#leftOut = "";
    const least = RECORD_HEAD + this.#codec.elements;
    if (length < least) return "record";
    const symbolBytes = unpacker.textBytes();
    const symbol = this.#symbols.get(unpacker.bytes, unpacker.position - symbolBytes, symbolBytes);
    if (symbol === undefined) {
      const shown = Math.min(symbolBytes, SYMBOL_LENGTH);
      const at = unpacker.position - symbolBytes;
      if (shown > 0) this.#leftOut = unpacker.bytes.toString("utf8", at, at + shown);
      return "symbol";
    }
    this.#leftOut = symbol;
    record.symbol = symbol;
    record.row = this.#symbols.row;
    record.seq = unpacker.number();
    if (!isCount(record.seq)) return "seq";
    // Some languages have no other numbers than floats for the time.
    const eventTime = Math.round(unpacker.number());
    if (!isTime(eventTime)) return "time";
    record.eventTime = eventTime;
    const state = unpacker.number();
    if (state !== 0 && state !== 1 && state !== 2) return "state";
    record.state = state;
    const since = Math.round(unpacker.number());
    if (since !== 0 && !isTime(since)) return "time";
    record.since = since === 0 ? eventTime : since;
    const reason = unpacker.text(MAX_REASON_BYTES);
    if (reason === undefined) return "text";
    record.reason = reason;
    const payloadReason = this.#codec.read(unpacker, record);
    if (payloadReason !== undefined) return payloadReason;
    const receivedAt = length > least ? Math.round(eventTime + unpacker.numberOrSkip()) : Number.NaN;
    record.receivedAt = isTime(receivedAt) ? receivedAt : Number.NaN;
    for (let index = least + 1; index < length; index++) unpacker.skip();
    return undefined;
  }

  /** The listener's row of the symbol that was read last: the next record of it has it. */
  keepRow(row: number): void {
    this.#symbols.row = row;
  }

  /** Reads what stands behind the records ({@link end}) before any of them; they are to be read afterwards. */
  peekEnd(): ClockReading | undefined {
    if (this.#behind < 2) return undefined;
    const unpacker = this.#unpacker;
    const { position } = unpacker;
    try {
      for (let left = this.head.records; left > 0; left--) unpacker.skip();
      return this.end();
    } catch (error) {
      if (error instanceof WireError) return undefined;
      throw error;
    } finally {
      unpacker.position = position;
    }
  }

  /**
   * Reads what stands behind the records of the batch, once all of them have been read: how the publisher's clock
   * stands.
   * @returns undefined where it is not told, or cannot be read: the records are good all the same
   */
  end(): ClockReading | undefined {
    if (this.#behind < 2) return undefined;
    try {
      const offset = this.#unpacker.numberOrSkip();
      const uncertainty = this.#unpacker.numberOrSkip();
      const isSane = Math.abs(offset) <= MAX_TIME && uncertainty >= 0 && uncertainty <= MAX_TIME;
      return isSane ? { offset, uncertainty } : undefined;
    } catch (error) {
      if (error instanceof WireError) return undefined;
      throw error;
    }
  }

  /**
   * Reads a value of a last-value hash: the record, and its epoch. `head.feed` is the feed that it is of, or empty
   * where it cannot be read.
   * @throws WireError when it is to be left out
   */
  value(bytes: Buffer, record: BusRecord): string {
    const unpacker = this.#unpacker;
    const head = this.head;
    unpacker.reset(bytes);
    head.feed = "";
    if (unpacker.array() < 3) throw new WireError("the value is no array of three", "format");
    head.feed = unpacker.text(MAX_FEED_BYTES) ?? "";
    record.epoch = unpacker.number();
    if (head.feed === "" || !isCount(record.epoch)) throw new WireError("feed or epoch of a value are wrong", "head");
    const reason = this.#read(record);
    if (reason !== undefined) throw new WireError(`${reason} of a value is wrong`, reason);
    return head.feed;
  }
}

/** Whether it is a count from 1 that a double holds exactly. */
function isCount(value: number): boolean {
  return value >= 1 && value <= Number.MAX_SAFE_INTEGER && Math.floor(value) === value;
}

function isTime(value: number): boolean {
  return value >= MIN_TIME && value <= MAX_TIME;
}

/** How far a feed had written a shard when the hash was read. */
export interface Mark {
  readonly epoch: number;
  readonly number: number;
  readonly feed: string;
}

/** Whether a field of a last-value hash is a feed's mark: `#` cannot stand in a symbol. */
export function isMarkField(field: Buffer): boolean {
  return field[0] === 0x23;
}

/** The feed that a mark's field is of; cut where it is no feed's. */
export function feedOfMark(field: Buffer): string {
  return field.toString("utf8", 1, 1 + MAX_FEED_BYTES);
}

/** The longest mark: two numbers of 16 digits and a feed. */
const MAX_MARK_BYTES = 34 + MAX_FEED_BYTES;

/** Reads a mark, the text `epoch:number:feed`, or undefined when the value is none. */
export function parseMark(value: Buffer): Mark | undefined {
  if (value.length > MAX_MARK_BYTES) return undefined;
  const match = /^(\d{1,16}):(\d{1,16}):(.+)$/s.exec(value.toString());
  if (!match) return undefined;
  const [epoch, number] = [Number(match[1]), Number(match[2])];
  return isCount(epoch) && isCount(number + 1) ? { epoch, number, feed: match[3] } : undefined;
}
