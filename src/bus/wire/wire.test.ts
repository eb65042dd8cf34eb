import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, ExtData, encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { FIELD_COUNT } from "../../base/tick.ts";
import { BarRecord } from "../../market/bar/bar_record.ts";
import { BusRecord } from "../../market/bus_record.ts";
import { Packer } from "../../msgpack/packer.ts";
import { SymbolCache } from "./symbol_cache.ts";
import { MessagePackReader, WireError } from "./unpack.ts";
import { BatchDecoder, BatchEncoder, MAX_BATCH_RECORDS, parseMark } from "./wire.ts";

const value = fc.oneof(
  fc.constant(Number.NaN),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.constantFrom(0, -0, 127, 128, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, -1, -33),
);
/** Of the years that there may be on the bus. */
const time = fc.integer({ min: 946_684_800_000_000, max: 4_102_444_800_000_000 });
const TIME = 1_700_000_000_000_000;
const symbol = fc.stringMatching(/^[\w.:/=^&+@!$~-]{1,64}$/);
const record = fc.record({
  symbol,
  seq: fc.integer({ min: 1, max: 2 ** 40 }),
  eventTime: time,
  receivedAt: fc.option(time, { nil: Number.NaN }),
  state: fc.constantFrom(0, 1, 2),
  since: time,
  reason: fc.string({ maxLength: 40, unit: "grapheme" }),
  values: fc.array(value, { minLength: FIELD_COUNT, maxLength: FIELD_COUNT }),
});

/** How a publisher's clock stands, or may not be known to. */
const reading = fc.oneof(
  fc.record({ offset: fc.integer({ min: -(2 ** 51), max: 2 ** 51 }), uncertainty: fc.nat(2 ** 31) }),
  fc.constant({ offset: Number.NaN, uncertainty: Number.NaN }),
);

function filled(from: { values: number[] } & Omit<BusRecord, "values">): BusRecord {
  return Object.assign(new BusRecord(), from, { values: Float64Array.from(from.values), offset: 0 });
}

test("what is written is read again, and is plain MessagePack to everyone else", () => {
  const batch = fc.array(record, { maxLength: 20 });
  const count = fc.integer({ min: 1, max: 2 ** 50 });
  fc.assert(
    fc.property(batch, count, count, reading, (records, epoch, number, clock) => {
      const encoder = new BatchEncoder("SIM", 32);
      encoder.begin(epoch, number, 1_700_000_000_000_000);
      for (const one of records) encoder.add(filled(one as never));
      const { message, start, lengths, prefix } = encoder.end(clock);
      const plain = decode(message) as [number, string, number, number, number, number, unknown[][], unknown, unknown];
      assert.deepEqual(plain.slice(0, 6), [1, "SIM", epoch, number, 1_700_000_000_000_000, 32]);
      const decoder = new BatchDecoder();
      const head = decoder.begin(message);
      assert.equal(head.records, records.length);
      const isKnown = !Number.isNaN(clock.offset);
      assert.deepEqual(decoder.peekEnd(), isKnown ? { ...clock } : undefined);
      const back = new BusRecord();
      let at = start;
      for (const [index, one] of records.entries()) {
        decoder.next(back);
        assert.equal(back.symbol, one.symbol);
        assert.deepEqual(
          [back.seq, back.eventTime, back.state, back.since],
          [one.seq, one.eventTime, one.state, one.since],
        );
        assert.equal(back.reason, one.reason);
        for (let field = 0; field < FIELD_COUNT; field++) assert.ok(Object.is(back.values[field], one.values[field]));
        assert.equal(back.receivedAt, one.receivedAt);
        const wanted = [one.symbol, one.seq, one.eventTime, one.state, one.since, one.reason];
        assert.deepEqual(plain[6][index].slice(0, 6), wanted);
        const behind = Number.isNaN(one.receivedAt) ? [] : [one.receivedAt - one.eventTime];
        assert.deepEqual(plain[6][index].slice(16), behind);
        // The hash's value is the prefix and the record's very bytes.
        const bytes = message.subarray(at, at + lengths.readUInt16BE(index * 2));
        at += bytes.length;
        const stored = new BusRecord();
        assert.equal(new BatchDecoder().value(Buffer.concat([prefix, bytes]), stored), "SIM");
        assert.deepEqual(
          [stored.symbol, stored.epoch, stored.seq, stored.receivedAt],
          [one.symbol, epoch, one.seq, one.receivedAt],
        );
      }
      assert.deepEqual(decoder.end(), isKnown ? { ...clock } : undefined);
      assert.deepEqual(plain.slice(7), isKnown ? [clock.offset, clock.uncertainty] : [null, null]);
    }),
  );
});

test("what another MessagePack library writes is read, with elements of a later version left out", () => {
  const message = Buffer.from(
    encode([
      1,
      "PY",
      7,
      3,
      5,
      32,
      [["A", 1, TIME + 0.5, 0, 0, "", 1, 2.25, null, -5, -200, -70_000, 0, 0, 0, 0, [1, "new", null, true]]],
      {},
    ]),
  );
  const decoder = new BatchDecoder();
  const read = new BusRecord();
  assert.equal(decoder.begin(message).feed, "PY");
  decoder.next(read);
  assert.deepEqual([...read.values.subarray(0, 6)], [1, 2.25, Number.NaN, -5, -200, -70_000]);
});

test("any bytes at all are read or refused with a WireError", () => {
  const decoder = new BatchDecoder();
  const good = Buffer.from(encode([1, "PY", 7, 3, 5, 32, [["A", 1, TIME, 0, 0, "", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]]]));
  const broken = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.nat(good.length).map((length) => good.subarray(0, length)),
    fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, byte]) => {
      const copy = Buffer.from(good);
      copy[at] = byte;
      return copy;
    }),
  );
  fc.assert(
    fc.property(broken, (bytes) => {
      try {
        const head = decoder.begin(bytes);
        decoder.peekEnd();
        for (let left = head.records; left > 0; left--) decoder.next(new BusRecord());
        decoder.value(bytes, new BusRecord());
      } catch (error) {
        assert.ok(error instanceof WireError, String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});

test("what stands where a receipt or a clock's reading may stand, and is none, is left out, and the batch is good", () => {
  const decoder = new BatchDecoder();
  const behind = fc.oneof(
    fc.string(),
    fc.boolean(),
    fc.constantFrom(null, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
    fc.array(fc.integer(), { maxLength: 3 }),
  );
  const record = ["A", 1, TIME, 0, 0, "", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
  fc.assert(
    fc.property(behind, fc.array(behind, { maxLength: 3 }), fc.boolean(), (receipt, more, isCut) => {
      const whole = Buffer.from(
        encode([
          1,
          "PY",
          7,
          3,
          5,
          32,
          [
            [...record, receipt, ...more],
            [...record, 40],
          ],
          receipt,
          ...more,
        ]),
      );
      decoder.begin(isCut ? whole.subarray(0, whole.length - 1) : whole);
      const read = new BusRecord();
      decoder.next(read);
      assert.equal(read.receivedAt, Number.NaN);
      assert.equal(read.values[9], 10);
      decoder.next(read);
      assert.equal(read.receivedAt, TIME + 40);
      assert.equal(decoder.end(), undefined);
    }),
  );
});

test("a clock's reading has no negative uncertainty", () => {
  const decoder = new BatchDecoder();
  decoder.begin(Buffer.from(encode([1, "PY", 7, 3, 5, 32, [], 3_000_000, -1])));
  assert.equal(decoder.end(), undefined);
  decoder.begin(Buffer.from(encode([1, "PY", 7, 3, 5, 32, [], 3_000_000, 80])));
  assert.deepEqual(decoder.end(), { offset: 3_000_000, uncertainty: 80 });
});

test("an array bomb is refused before anything is made of it", () => {
  const unpacker = new MessagePackReader();
  unpacker.reset(Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]));
  assert.throws(() => unpacker.skip(), WireError);
  unpacker.reset(Buffer.alloc(1_000_000, 0x91));
  assert.throws(() => unpacker.skip(), WireError);
  unpacker.reset(Buffer.from([0xdf, 0xff, 0xff, 0xff, 0xff, 0xc0]));
  assert.throws(() => unpacker.skip(), WireError);
});

test("whatever another library writes is gone over as a whole", () => {
  const anything = fc.letrec((tie) => ({
    node: fc.oneof(
      { depthSize: "small" },
      fc.oneof(
        fc.constant(null),
        fc.boolean(),
        fc.integer(),
        fc.double(),
        fc.float(),
        fc.bigInt({ min: 0n, max: 2n ** 63n }),
      ),
      fc.string({ maxLength: 300 }),
      fc.uint8Array({ maxLength: 300 }),
      fc.date({ noInvalidDate: true }),
      fc.integer({ min: 0, max: 40 }).map((size) => new ExtData(7, new Uint8Array(size))),
      fc.constantFrom("x".repeat(70_000), new Uint8Array(70_000), new ExtData(7, new Uint8Array(70_000))),
      fc.array(tie("node"), { maxLength: 20 }),
      fc.dictionary(fc.string(), tie("node"), { maxKeys: 20 }),
    ),
  })).node;
  const unpacker = new MessagePackReader();
  fc.assert(
    fc.property(anything, (value) => {
      const bytes = encode(value, { useBigInt64: true });
      unpacker.reset(Buffer.concat([bytes, Buffer.from([0x2a])]));
      unpacker.skip();
      assert.equal(unpacker.position, bytes.length);
      assert.equal(unpacker.number(), 0x2a);
    }),
  );
});

test("a full batch fits, however long its records", () => {
  const encoder = new BatchEncoder("F".repeat(64), 1_024);
  const longest = Object.assign(new BusRecord(), {
    symbol: "S".repeat(64),
    reason: "é".repeat(300),
    seq: 2 ** 52,
    eventTime: TIME,
  });
  longest.values.fill(0.1);
  encoder.begin(1, 1, 1);
  for (let index = 0; index < MAX_BATCH_RECORDS; index++) encoder.add(longest);
  const decoder = new BatchDecoder();
  assert.equal(decoder.begin(encoder.end().message).records, MAX_BATCH_RECORDS);
  const read = new BusRecord();
  decoder.next(read);
  assert.equal(read.reason, "é".repeat(127));
});

test("the symbol cache gives one string for the same bytes and refuses what is no symbol", () => {
  const cache = new SymbolCache();
  const bytes = Buffer.from("#xCOINBASE:BTC-USDyy");
  assert.equal(cache.get(bytes, 2, 16), "COINBASE:BTC-USD");
  assert.equal(cache.get(bytes, 2, 16), "COINBASE:BTC-USD");
  assert.equal(cache.get(bytes, 0, 16), undefined);
  assert.equal(cache.get(bytes, 0, 0), undefined);
});

test("a mark is told from a record", () => {
  assert.deepEqual(parseMark(Buffer.from("1700000000000:42:SIM:A")), {
    epoch: 1_700_000_000_000,
    number: 42,
    feed: "SIM:A",
  });
  assert.equal(parseMark(Buffer.from([0x93, 1])), undefined);
  assert.equal(parseMark(Buffer.from("12")), undefined);
});

test("a packer refuses what does not fit instead of growing", () => {
  assert.throws(() => new Packer(8).number(0.5), RangeError);
});

test("the bytes of a batch are those of version 1 of the format", () => {
  const encoder = new BatchEncoder("SIM", 32);
  encoder.begin(1_700_000_000_123, 7, 1_700_000_000_123_456);
  const record = new BusRecord();
  Object.assign(record, { symbol: "A:B", seq: 200, eventTime: 1_700_000_000_123_000, state: 1, reason: "lost" });
  Object.assign(record, { since: 1_700_000_000_100_000, receivedAt: 1_700_000_000_123_150 });
  record.values.set([1.5, 200, -0, 70_000, Number.NaN, -3, 0, 300, 128, 2 ** 32]);
  encoder.add(record);
  Object.assign(record, { symbol: "C", receivedAt: Number.NaN });
  encoder.add(record);
  const batch = encoder.end({ offset: -150, uncertainty: 200 });
  const times = "cb43182890608081e001cb43182890607f1a80d9046c6f7374";
  const values =
    "cb3ff8000000000000cd00c8cb8000000000000000ce00011170c0cbc00800000000000000cd012ccd0080cb41f0000000000000";
  assert.equal(
    batch.message.toString("hex"),
    "dc000901d90353494dcb4278bcfe5687b00007cb431828906080890020dc0002" +
      `dc0011a3413a42cd00c8${times}${values}cd0096dc0010a143cd00c8${times}${values}cbc062c00000000000cd00c8`,
  );
  assert.deepEqual([batch.start, batch.lengths.toString("hex")], [32, "005a0055"]);
  assert.equal(batch.prefix.toString("hex"), "dc0003d90353494dcb4278bcfe5687b000");
});

test("a bar's number of trades may be unknown, and is never below zero or a fraction", () => {
  const readings = [0, 7, -1, 0.5].map((trades) => {
    const encoder = new BatchEncoder("SIM", 32, "bar:1m");
    encoder.begin(1, 1, TIME);
    const prices = { open: 1, high: 4, low: 1, close: 2, volume: 0.5 };
    const own = { symbol: "A", seq: 1, eventTime: TIME, receivedAt: TIME, start: 60_000_000, trades, ...prices };
    encoder.add(Object.assign(new BarRecord(), own));
    const decoder = new BatchDecoder("bar:1m");
    decoder.begin(encoder.end({ offset: 0, uncertainty: 0 }).message);
    const back = decoder.createRecord() as BarRecord;
    return decoder.next(back) ?? back.trades;
  });
  assert.deepEqual(readings, [0, 7, "value", "value"]);
});
