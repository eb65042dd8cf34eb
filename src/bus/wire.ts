/**
 * What publishers and gateways say to each other through Redis: batches and the values of the last-value hashes.
 * docs/bus.md is the description for people; the numbers here and there must stay the same.
 */
import { FIELD_COUNT } from "../tick.ts";
import type { BusRecord } from "./bus.ts";
import { type ClockReading, UNKNOWN_CLOCK } from "./clock_offset.ts";
import { Packer } from "./pack.ts";
import { SymbolCache } from "./symbol_cache.ts";
import { Unpacker, WireError } from "./unpack.ts";

/** The version of the wire format; a batch of another version is not read. */
export const WIRE_VERSION = 1;
/** The most records in one batch: it keeps one write to about 100 KB, so that Redis is not held for long. */
export const MAX_BATCH_RECORDS = 1_000;
/** Version, feed, epoch, number, time, shards and records. */
const HEAD_LENGTH = 7;
/** And how the publisher's clock stands, which readers may do without. */
const FULL_HEAD_LENGTH = HEAD_LENGTH + 2;
/** Symbol, seq, event time, state, since, reason, and the values. */
const RECORD_LENGTH = 6 + FIELD_COUNT;
/** And when it was received, which readers may do without. */
const FULL_RECORD_LENGTH = RECORD_LENGTH + 1;
/** The longest record: 64 characters of symbol, 255 of reason, 15 numbers of 9 bytes, and the heads. */
const MAX_RECORD_BYTES = 512;
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
}

/** Writes batches of one feed. */
export class BatchEncoder {
  readonly #feed: string;
  readonly #shards: number;
  readonly #packer = new Packer(MAX_HEAD_BYTES + MAX_BATCH_RECORDS * MAX_RECORD_BYTES);
  readonly #lengths = Buffer.alloc(MAX_BATCH_RECORDS * 2);
  #prefixEpoch = -1;
  #prefix: Buffer = Buffer.alloc(0);
  #start = 0;
  #count = 0;

  constructor(feed: string, shards: number) {
    this.#feed = feed;
    this.#shards = shards;
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
  }

  /** Adds a record; there may be {@link MAX_BATCH_RECORDS}. */
  add(record: BusRecord): void {
    const packer = this.#packer;
    const from = packer.position;
    packRecord(packer, record);
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

function packRecord(packer: Packer, record: BusRecord): void {
  const isReceiptKnown = !Number.isNaN(record.receivedAt);
  packer.array(isReceiptKnown ? FULL_RECORD_LENGTH : RECORD_LENGTH);
  packer.ascii(record.symbol);
  packer.number(record.seq);
  packer.number(record.eventTime);
  packer.number(record.state);
  packer.number(record.since);
  packer.text(record.reason);
  const { values, offset } = record;
  for (let index = 0; index < FIELD_COUNT; index++) packer.number(values[offset + index]);
  // As a difference it takes one to five bytes instead of nine.
  if (isReceiptKnown) packer.number(record.receivedAt - record.eventTime);
}

/** Reads batches and values of last-value hashes, into a record that is used again and again. */
export class BatchDecoder {
  readonly #unpacker = new Unpacker();
  readonly #symbols = new SymbolCache();
  readonly head: BatchHead = { feed: "", epoch: 0, number: 0, sentAt: 0, shards: 0, records: 0 };
  /** What stands behind the records of the batch that is read. */
  #behind = 0;

  /**
   * Reads a batch up to its records, into {@link head}.
   * @throws WireError
   */
  begin(message: Buffer): BatchHead {
    const unpacker = this.#unpacker;
    const head = this.head;
    unpacker.reset(message);
    const length = unpacker.array();
    const version = unpacker.number();
    if (version !== WIRE_VERSION) throw new WireError(`version ${version} instead of ${WIRE_VERSION}`);
    if (length < HEAD_LENGTH) throw new WireError("the batch is too short");
    this.#behind = length - HEAD_LENGTH;
    head.feed = this.#feed();
    head.epoch = this.#count();
    head.number = this.#count();
    head.sentAt = unpacker.number();
    head.shards = this.#count();
    head.records = unpacker.array();
    if (head.records > MAX_BATCH_RECORDS) throw new WireError("the batch has too many records");
    return head;
  }

  /**
   * Reads the next record of the batch begun.
   * @throws WireError
   */
  next(record: BusRecord): void {
    const unpacker = this.#unpacker;
    const length = unpacker.array();
    if (length < RECORD_LENGTH) throw new WireError("a record is too short");
    const symbolBytes = unpacker.textBytes();
    const symbol = this.#symbols.get(unpacker.bytes, unpacker.position - symbolBytes, symbolBytes);
    if (symbol === undefined) throw new WireError("a symbol is not of the grammar");
    record.symbol = symbol;
    record.row = this.#symbols.row;
    record.seq = this.#count();
    record.eventTime = unpacker.number();
    const state = unpacker.number();
    if (state !== 0 && state !== 1 && state !== 2) throw new WireError(`there is no state ${state}`);
    record.state = state;
    record.since = unpacker.number();
    record.reason = unpacker.text();
    unpacker.numbers(record.values, record.offset, FIELD_COUNT);
    const delay = length > RECORD_LENGTH ? unpacker.numberOrSkip() : Number.NaN;
    record.receivedAt = Number.isFinite(delay) ? record.eventTime + delay : Number.NaN;
    for (let index = FULL_RECORD_LENGTH; index < length; index++) unpacker.skip();
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
   * Reads what stands behind the records of the batch, once all of them have been read: how the publisher's clock stands.
   * @returns undefined where it is not told, or cannot be read: the records are good all the same
   */
  end(): ClockReading | undefined {
    if (this.#behind < 2) return undefined;
    try {
      const offset = this.#unpacker.numberOrSkip();
      const uncertainty = this.#unpacker.numberOrSkip();
      return Number.isFinite(offset) && uncertainty >= 0 ? { offset, uncertainty } : undefined;
    } catch (error) {
      if (error instanceof WireError) return undefined;
      throw error;
    }
  }

  /**
   * Reads a value of a last-value hash: the record, and its epoch.
   * @returns the feed that it is of
   * @throws WireError
   */
  value(bytes: Buffer, record: BusRecord): string {
    const unpacker = this.#unpacker;
    unpacker.reset(bytes);
    if (unpacker.array() < 3) throw new WireError("the value is too short");
    const feed = this.#feed();
    record.epoch = this.#count();
    this.next(record);
    return feed;
  }

  #feed(): string {
    const feed = this.#unpacker.text();
    if (feed === "") throw new WireError("the feed has no name");
    return feed;
  }

  #count(): number {
    const value = this.#unpacker.number();
    if (!(value >= 0) || !Number.isSafeInteger(value)) throw new WireError(`${value} is no count`);
    return value;
  }
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

/** Reads a mark, the text `epoch:number:feed`, or undefined when the value is none. */
export function parseMark(value: Buffer): Mark | undefined {
  // A record's value begins with an array's head, never with a digit.
  if (value.length === 0 || value[0] < 0x30 || value[0] > 0x39) return undefined;
  const match = /^(\d{1,16}):(\d{1,16}):(.+)$/s.exec(value.toString());
  return match ? { epoch: Number(match[1]), number: Number(match[2]), feed: match[3] } : undefined;
}
