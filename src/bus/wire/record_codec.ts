/** What a record of each channel has between the reason and the time of receipt: see docs/bus.md. */
import { FIELD_COUNT } from "../../base/tick.ts";
import { BarRecord } from "../../market/bar/bar_record.ts";
import { BOOK_LEVELS, BookRecord } from "../../market/book/book_payload.ts";
import { BusRecord } from "../../market/bus_record.ts";
import { isBarMarket, type MarketName } from "../../market/market_name.ts";
import { TradeRecord } from "../../market/trade/trade_payload.ts";
import { MAX_ID_CHARACTERS } from "../../market/trade/trade_ring.ts";
import type { Packer } from "../../msgpack/packer.ts";
import type { MalformedReason } from "./malformed.ts";
import type { MessagePackReader } from "./unpack.ts";

export interface RecordCodec<R extends BusRecord = BusRecord> {
  /** Whether each record counts: the last-value store has the newest only, and does not replace those before. */
  readonly keepsEach: boolean;
  /** How many elements it has there. */
  readonly elements: number;
  /** The most bytes that they take. */
  readonly maxBytes: number;
  /** The most records of a batch: it keeps one write to about 100 KB, so that Redis is not held for long. */
  readonly maxRecords: number;
  createRecord(): R;
  /** What follows the symbol in the name of the record's field; see {@link fieldDetail}. */
  fieldDetail?(record: R): string;
  write(packer: Packer, record: R): void;
  /** @returns why the record is left out; undefined where it is good */
  read(unpacker: MessagePackReader, record: R): MalformedReason | undefined;
}

/** A number's head and eight bytes. */
const NUMBER_BYTES = 9;

const QUOTES: RecordCodec = {
  keepsEach: false,
  elements: FIELD_COUNT,
  maxBytes: FIELD_COUNT * NUMBER_BYTES,
  maxRecords: 1_000,
  createRecord: () => new BusRecord(),
  write(packer, { values, offset }) {
    for (let index = 0; index < FIELD_COUNT; index++) packer.number(values[offset + index]);
  },
  read: (unpacker, { values, offset }) => (unpacker.numbers(values, offset, FIELD_COUNT) ? undefined : "value"),
};

/** Bids, then asks: `[price, size, …]`, the best first. */
const BOOKS: RecordCodec<BookRecord> = {
  keepsEach: false,
  elements: 2,
  maxBytes: 2 * (3 + 2 * BOOK_LEVELS * NUMBER_BYTES),
  maxRecords: 50,
  createRecord: () => new BookRecord(),
  write(packer, { bids, asks, bidLevels, askLevels }) {
    writeSide(packer, bids, bidLevels);
    writeSide(packer, asks, askLevels);
  },
  read(unpacker, record) {
    const bids = readSide(unpacker, record.bids);
    const asks = bids < 0 ? -1 : readSide(unpacker, record.asks);
    if (asks < 0) return "value";
    record.bidLevels = bids;
    record.askLevels = asks;
    return undefined;
  },
};

/** Price, size, side, and the venue's id, nil where it has none. */
const TRADES: RecordCodec<TradeRecord> = {
  keepsEach: true,
  elements: 4,
  maxBytes: 3 * NUMBER_BYTES + 2 + MAX_ID_CHARACTERS,
  maxRecords: 1_000,
  createRecord: () => new TradeRecord(),
  write(packer, { price, size, side, id }) {
    packer.number(price);
    packer.number(size);
    packer.number(side);
    if (id === null) packer.number(Number.NaN);
    else packer.ascii(id);
  },
  read(unpacker, record) {
    record.price = unpacker.number();
    record.size = unpacker.number();
    record.side = unpacker.number();
    const { price, size, side } = record;
    if (!Number.isFinite(price) || !(size > 0 && Number.isFinite(size))) return "value";
    if (side !== 1 && side !== -1 && side !== 0) return "value";
    const id = unpacker.textOrNil(MAX_ID_CHARACTERS);
    if (id === undefined || (id !== null && !/^[\x20-\x7e]+$/.test(id))) return "text";
    record.id = id;
    return undefined;
  },
};

/**
 * Start, open, high, low, close, volume, number of trades (0: not known), flags. The field of a bar has its start in
 * seconds.
 */
const BARS: RecordCodec<BarRecord> = {
  keepsEach: false,
  elements: 8,
  maxBytes: 8 * NUMBER_BYTES,
  maxRecords: 1_000,
  createRecord: () => new BarRecord(),
  fieldDetail: ({ start }) => fieldDetail(start),
  write(packer, { start, open, high, low, close, volume, trades, flags }) {
    packer.number(start);
    packer.number(open);
    packer.number(high);
    packer.number(low);
    packer.number(close);
    packer.number(volume);
    packer.number(trades);
    packer.number(flags);
  },
  read(unpacker, record) {
    record.start = unpacker.number();
    record.open = unpacker.number();
    record.high = unpacker.number();
    record.low = unpacker.number();
    record.close = unpacker.number();
    record.volume = unpacker.number();
    record.trades = unpacker.number();
    record.flags = unpacker.number();
    const { start, open, high, low, close, volume, trades, flags } = record;
    if (!(Number.isInteger(start / 1_000_000) && start > 0 && start < MAX_START)) return "value";
    if (![open, high, low, close].every(Number.isFinite)) return "value";
    if (!(volume > 0 && Number.isFinite(volume)) || !(Number.isInteger(trades) && trades >= 0)) return "value";
    return Number.isInteger(flags) && flags >= 0 && flags <= MAX_FLAGS ? undefined : "value";
  },
};
/** The year 2100, and all flags of a bar. */
const MAX_START = 4_102_444_800_000_000;
const MAX_FLAGS = 7;

export function codecOf(name: MarketName): RecordCodec {
  if (isBarMarket(name)) return BARS;
  return name === "quote" ? QUOTES : name === "book" ? BOOKS : TRADES;
}

/** What follows the symbol and a space in the name of a bar's field: its start in seconds, of ten digits. */
export function fieldDetail(start: number): string {
  return String(start / 1_000_000).padStart(10, "0");
}

function writeSide(packer: Packer, numbers: Float64Array, levels: number): void {
  packer.array(levels * 2);
  for (let index = 0; index < levels * 2; index++) packer.number(numbers[index]);
}

/** @returns how many levels were read, or -1 where it is no side */
function readSide(unpacker: MessagePackReader, into: Float64Array): number {
  const count = unpacker.array();
  if (count < 0 || count > into.length || count % 2 !== 0) return -1;
  if (!unpacker.numbers(into, 0, count)) return -1;
  for (let index = 0; index < count; index++) if (!Number.isFinite(into[index])) return -1;
  return count / 2;
}
