import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { FIELD_COUNT } from "../../base/tick.ts";
import { BarRecord } from "../../market/bar/bar_record.ts";
import { BookRecord } from "../../market/book/book_payload.ts";
import { BusRecord } from "../../market/bus_record.ts";
import { TradeRecord } from "../../market/trade/trade_payload.ts";
import { MALFORMED_REASONS, type MalformedReason } from "./malformed.ts";
import { codecOf } from "./record_codec.ts";
import { MessagePackReader, WireError } from "./unpack.ts";
import { BatchDecoder, BatchEncoder } from "./wire.ts";

type TestedMarket = "quote" | "book" | "trade" | "bar:1m";
const MARKETS: readonly TestedMarket[] = ["quote", "book", "trade", "bar:1m"];
const TIME = 1_700_000_000_000_000;
const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.constantFrom(0, 127, 128, 65_536, 2 ** 32, 2 ** 53 - 1, -1, -33),
);
const above = fc.oneof(
  fc.double({ min: Number.MIN_VALUE, noNaN: true, noDefaultInfinity: true }),
  fc.nat().map((n) => n + 1),
);
const printable = fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code));
const side = fc.array(fc.tuple(number, number), { maxLength: 50, size: "max" });

const payloads: Record<TestedMarket, fc.Arbitrary<BusRecord>> = {
  quote: fc
    .array(fc.oneof(number, fc.constant(Number.NaN)), { minLength: FIELD_COUNT, maxLength: FIELD_COUNT })
    .map((values) => Object.assign(new BusRecord(), { values: Float64Array.from(values) })),
  book: fc.tuple(side, side).map(([bids, asks]) => {
    const record = new BookRecord();
    record.bids.set(bids.flat());
    record.asks.set(asks.flat());
    return Object.assign(record, { bidLevels: bids.length, askLevels: asks.length });
  }),
  trade: fc
    .record({
      price: number,
      size: above,
      side: fc.constantFrom(1, -1, 0),
      id: fc.oneof(fc.constant(null), fc.string({ unit: printable, minLength: 1, maxLength: 36 }), fc.uuid()),
    })
    .map((trade) => Object.assign(new TradeRecord(), trade)),
  "bar:1m": fc
    .record({
      start: fc.integer({ min: 946_684_800, max: 4_102_444_799 }).map((seconds) => seconds * 1_000_000),
      open: number,
      high: number,
      low: number,
      close: number,
      volume: above,
      trades: fc.integer({ min: 1, max: 2 ** 50 }),
      flags: fc.nat(7),
    })
    .map((bar) => Object.assign(new BarRecord(), bar)),
};

function recordsOf(channel: TestedMarket): fc.Arbitrary<BusRecord> {
  const head = fc.record({
    symbol: fc.stringMatching(/^[\w.:/=^&+@!$~-]{1,64}$/),
    seq: fc.integer({ min: 1, max: 2 ** 50 }),
    eventTime: fc.integer({ min: 946_684_800_000_000, max: 4_102_444_799_000_000 }),
    state: fc.constantFrom(0, 1, 2),
    reason: fc.string({ maxLength: 40 }),
  });
  return fc
    .tuple(head, payloads[channel])
    .map(([own, record]) => Object.assign(record, own, { since: own.eventTime, receivedAt: own.eventTime + 5 }));
}

/** What of a record is on the bus: the payload is what the channel has. */
function payloadOf(record: BusRecord): unknown[] {
  if (record instanceof BookRecord)
    return [[...record.bids.subarray(0, record.bidLevels * 2)], [...record.asks.subarray(0, record.askLevels * 2)]];
  if (record instanceof BarRecord) {
    const { start, open, high, low, close, volume, trades, flags } = record;
    return [start, open, high, low, close, volume, trades, flags];
  }
  if (record instanceof TradeRecord) return [record.price, record.size, record.side, record.id];
  return Array.from(record.values, (value) => (Number.isNaN(value) ? null : value));
}

function batchOf(channel: TestedMarket, records: readonly BusRecord[]) {
  const encoder = new BatchEncoder("F", 2, channel);
  encoder.begin(3, 4, TIME);
  for (const record of records) encoder.add(record);
  return encoder.end();
}

/** Equal as numbers are: the sign of a zero is none. */
function withoutSigns(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

for (const channel of MARKETS) {
  test(`${channel}: what is written is read again, and is plain MessagePack to everyone else`, () => {
    fc.assert(
      fc.property(fc.array(recordsOf(channel), { minLength: 1, maxLength: 10 }), (records) => {
        const { message, start, lengths, prefix, elements } = batchOf(channel, records);
        const plain = decode(message) as unknown[][][];
        const decoder = new BatchDecoder(channel);
        assert.equal(decoder.begin(message).records, records.length);
        const back = decoder.createRecord();
        let at = start;
        for (const [index, record] of records.entries()) {
          assert.equal(decoder.next(back), undefined);
          const same = (other: BusRecord) => {
            assert.deepEqual(
              [other.symbol, other.seq, other.eventTime, other.state, other.reason, other.receivedAt],
              [record.symbol, record.seq, record.eventTime, record.state, record.reason, record.receivedAt],
            );
            assert.deepEqual(withoutSigns(payloadOf(other)), withoutSigns(payloadOf(record)));
          };
          same(back);
          assert.deepEqual(withoutSigns(plain[6][index].slice(6, elements)), withoutSigns(payloadOf(record)));
          const bytes = message.subarray(at, at + lengths.readUInt16BE(index * 2));
          at += bytes.length;
          const stored = decoder.createRecord();
          assert.equal(new BatchDecoder(channel).value(Buffer.concat([prefix, bytes]), stored), "F");
          same(stored);
        }
      }),
    );
  });

  test(`${channel}: a record that is cut or changed is refused with a reason, and what follows it is read`, () => {
    const decoder = new BatchDecoder(channel);
    const read = decoder.createRecord();
    const reasons = new Set<string>();
    fc.assert(
      fc.property(
        recordsOf(channel),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        fc.option(fc.nat(), { nil: undefined }),
        (record, changes, cut) => {
          const { message, start, prefix } = batchOf(channel, [record, record]);
          const broken = Buffer.from(message);
          for (const [at, byte] of changes) broken[start + (at % (broken.length - start))] = byte;
          const bytes = cut === undefined ? broken : broken.subarray(0, cut % (broken.length + 1));
          try {
            const { records } = decoder.begin(bytes);
            decoder.peekEnd();
            for (let left = records; left > 0; left--) reasons.add(decoder.next(read) ?? "");
            decoder.end();
          } catch (error) {
            assert.ok(error instanceof WireError, String(error));
            reasons.add(error.reason);
          }
          try {
            decoder.value(Buffer.concat([prefix, bytes.subarray(Math.min(start, bytes.length))]), read);
          } catch (error) {
            assert.ok(error instanceof WireError, String(error));
            reasons.add(error.reason);
          }
        },
      ),
      { numRuns: 1_500 },
    );
    for (const reason of reasons)
      if (reason !== "") assert.ok(MALFORMED_REASONS.includes(reason as MalformedReason), reason);
    assert.ok(reasons.size > 3, [...reasons].join());
  });

  test(`${channel}: whatever the payload is, reading it takes no memory that the bytes name`, () => {
    const codec = codecOf(channel);
    const reader = new MessagePackReader();
    const record = codec.createRecord();
    const before = process.memoryUsage().arrayBuffers;
    for (const head of [0xdd, 0xdf, 0xdb, 0xc6, 0xc9])
      for (const fill of [0xff, 0x7f, 0xdd, 0x00]) {
        reader.reset(Buffer.from([head, ...new Array(40).fill(fill)]));
        try {
          assert.notEqual(codec.read(reader, record), undefined);
        } catch (error) {
          assert.ok(error instanceof WireError, String(error));
        }
      }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        reader.reset(Buffer.from(bytes));
        try {
          const reason = codec.read(reader, record);
          assert.ok(reason === undefined || MALFORMED_REASONS.includes(reason));
        } catch (error) {
          assert.ok(error instanceof WireError, String(error));
        }
      }),
      { numRuns: 2_000 },
    );
    assert.ok(process.memoryUsage().arrayBuffers - before < 64 * 2 ** 20);
  });

  test(`${channel}: the longest record takes no more bytes than are kept for it`, () => {
    const { maxBytes, maxRecords, elements } = codecOf(channel);
    const record = codecOf(channel).createRecord();
    Object.assign(record, { symbol: "S".repeat(64), reason: "é".repeat(300), seq: 2 ** 52, eventTime: TIME });
    record.values.fill(0.1);
    if (record instanceof BookRecord) {
      record.bids.fill(0.1);
      record.asks.fill(0.1);
      Object.assign(record, { bidLevels: 50, askLevels: 50 });
    }
    if (record instanceof TradeRecord)
      Object.assign(record, { price: 0.1, size: 0.1, side: -1, id: "i".repeat(36), receivedAt: TIME - 0.5 });
    const { message, lengths } = batchOf(channel, new Array<BusRecord>(maxRecords).fill(record));
    assert.equal((decode(message) as unknown[][])[6].length, maxRecords);
    assert.ok(lengths.readUInt16BE(0) <= 384 + maxBytes);
    assert.ok(elements > 0);
  });
}

/** What another program may write, and why it is left out. */
const HEAD = ["A", 1, TIME, 0, 0, ""];
const BAD: Partial<Record<TestedMarket, [payload: unknown[], reason: MalformedReason | undefined][]>> = {
  book: [
    [[[], []], undefined],
    [[[1, 2], []], undefined],
    [[new Array(100).fill(1), new Array(100).fill(0)], undefined],
    [[new Array(102).fill(1), []], "value"],
    [[new Array(20_000).fill(1), []], "value"],
    [[[1], []], "value"],
    [
      [
        [1, 2],
        [1, 2, 3],
      ],
      "value",
    ],
    [[[1, null], []], "value"],
    [[[1, Number.NaN], []], "value"],
    [[[], [1, Number.POSITIVE_INFINITY]], "value"],
    [[[1, "2"], []], "value"],
    [[null, []], "value"],
    [["", []], "value"],
    [[[[1, 2]], []], "value"],
    [[[1, 2]], "record"],
  ],
  trade: [
    [[1, 1, 0, null], undefined],
    [[-1, 0.5, -1, "x"], undefined],
    [[0, 1, 1, "x".repeat(36)], undefined],
    [[1, 0, 0, null], "value"],
    [[1, -1, 0, null], "value"],
    [[1, Number.NaN, 0, null], "value"],
    [[1, Number.POSITIVE_INFINITY, 0, null], "value"],
    [[Number.NaN, 1, 0, null], "value"],
    [[null, 1, 0, null], "value"],
    [[Number.NEGATIVE_INFINITY, 1, 0, null], "value"],
    [["1", 1, 0, null], "value"],
    [[1, 1, 2, null], "value"],
    [[1, 1, 0.5, null], "value"],
    [[1, 1, null, null], "value"],
    [[1, 1, 0, ""], "text"],
    [[1, 1, 0, "x".repeat(37)], "text"],
    [[1, 1, 0, "é"], "text"],
    [[1, 1, 0, "a\u007f"], "text"],
    [[1, 1, 0, "a\n"], "text"],
    [[1, 1, 0, 5], "text"],
    [[1, 1, 0, ["x"]], "text"],
    [[1, 1, 0], "record"],
  ],
};

for (const [channel, cases] of Object.entries(BAD) as [TestedMarket, NonNullable<(typeof BAD)[TestedMarket]>][])
  test(`${channel}: each strange payload has its reason, in a batch and in the store, and the next record is read`, () => {
    for (const [payload, reason] of cases) {
      const good = cases[1][0];
      const records = [
        [...HEAD, ...payload],
        [...HEAD, ...good],
      ];
      const decoder = new BatchDecoder(channel);
      const record = decoder.createRecord();
      decoder.begin(Buffer.from(encode([1, "F", 7, 3, 5, 2, records])));
      const shown = JSON.stringify(payload).slice(0, 60);
      assert.equal(decoder.next(record), reason, shown);
      assert.equal(decoder.next(record), undefined, `behind ${shown}`);
      assert.deepEqual(payloadOf(record), good);
      const value = Buffer.from(encode(["F", 7, records[0]]));
      if (reason === undefined) decoder.value(value, record);
      else
        assert.throws(
          () => decoder.value(value, record),
          (error) => error instanceof WireError && error.reason === reason,
        );
    }
  });
