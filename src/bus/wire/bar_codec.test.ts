import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { BarRecord } from "../../market/bar/bar_record.ts";
import { MALFORMED_REASONS } from "./malformed.ts";
import { fieldDetail } from "./record_codec.ts";
import { WireError } from "./unpack.ts";
import { BatchDecoder, BatchEncoder } from "./wire.ts";

const SECOND = 1_000_000;
const TIME = 1_700_000_000 * SECOND;

const number = fc.double({ noNaN: true, noDefaultInfinity: true });
const bar = fc.record({
  symbol: fc.stringMatching(/^[\w.:/=^&+@!$~-]{1,64}$/),
  seq: fc.integer({ min: 1, max: 2 ** 40 }),
  eventTime: fc.integer({ min: TIME, max: 4_102_444_800 * SECOND }),
  receivedAt: fc.constant(Number.NaN),
  state: fc.constantFrom(0, 1, 2),
  since: fc.integer({ min: TIME, max: 4_102_444_800 * SECOND }),
  reason: fc.string({ maxLength: 40, unit: "grapheme" }),
  start: fc.integer({ min: 1, max: 4_102_444_799 }).map((seconds) => seconds * SECOND),
  open: number,
  high: number,
  low: number,
  close: number,
  volume: fc.double({ noNaN: true, noDefaultInfinity: true, min: Number.MIN_VALUE }),
  trades: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  flags: fc.nat(7),
});
const NUMBERS = ["start", "open", "high", "low", "close", "volume", "trades", "flags"] as const;

function batchOf(bars: readonly Partial<BarRecord>[]) {
  const encoder = new BatchEncoder("SIM", 32, "bar:1m");
  encoder.begin(7, 3, TIME);
  for (const one of bars) encoder.add(Object.assign(new BarRecord(), one));
  return encoder.end({ offset: Number.NaN, uncertainty: Number.NaN });
}

test("bars that are written are read again, and each field has the start of its bar in its name", () => {
  fc.assert(
    fc.property(fc.array(bar, { maxLength: 20 }), (bars) => {
      const { message, start, lengths, prefix, details } = batchOf(bars);
      const decoder = new BatchDecoder("bar:1m");
      assert.equal(decoder.begin(message).records, bars.length);
      assert.equal(decoder.isSeries, true);
      const plain = decode(message) as unknown[][][];
      let at = start;
      for (const [index, one] of bars.entries()) {
        const read = decoder.createRecord() as BarRecord;
        assert.equal(decoder.next(read), undefined);
        for (const name of [...NUMBERS, "symbol", "seq", "eventTime", "state", "reason"] as const)
          assert.ok(Object.is(read[name], one[name]), name);
        assert.deepEqual(
          plain[6][index].slice(6, 14),
          NUMBERS.map((name) => one[name]),
        );
        const bytes = message.subarray(at, at + lengths.readUInt16BE(index * 2));
        at += bytes.length;
        const stored = decoder.createRecord() as BarRecord;
        assert.equal(new BatchDecoder("bar:1m").value(Buffer.concat([prefix, bytes]), stored), "SIM");
        for (const name of NUMBERS) assert.ok(Object.is(stored[name], one[name]), name);
      }
      assert.equal(details, bars.map((one) => String(one.start / SECOND).padStart(10, "0")).join(""));
    }),
  );
});

test("the detail of a field has ten digits, so that fields are in order", () => {
  assert.deepEqual([fieldDetail(SECOND), fieldDetail(TIME)], ["0000000001", "1700000000"]);
});

/** A batch of another library. */
function foreign(values: readonly unknown[]): Buffer {
  const head = ["A", 1, TIME, 0, 0, ""];
  return Buffer.from(
    encode([
      1,
      "PY",
      7,
      3,
      5,
      32,
      [
        [...head, ...values],
        [...head, TIME, 1, 1, 1, 1, 1, 1, 1],
      ],
    ]),
  );
}

const GOOD = [TIME, 1, 2, 0.5, 1.5, 10, 3, 1];

test("a bar with a wrong value is left out, with a reason; the others are read", () => {
  const wrong = (index: number, value: unknown) => GOOD.map((good, at) => (at === index ? value : good));
  const cases = [
    ...[0, -1, TIME + 1, TIME + 0.5, 4_102_444_800 * SECOND, null, "1", Number.NaN].map((value) => wrong(0, value)),
    ...[1, 2, 3, 4].flatMap((index) =>
      [null, "1", Number.POSITIVE_INFINITY, [], true].map((value) => wrong(index, value)),
    ),
    ...[0, -1, null, Number.POSITIVE_INFINITY, "2"].map((value) => wrong(5, value)),
    ...[-1, 1.5, null, Number.POSITIVE_INFINITY].map((value) => wrong(6, value)),
    ...[-1, 8, 0.5, null, "1"].map((value) => wrong(7, value)),
  ];
  for (const values of cases) {
    const decoder = new BatchDecoder("bar:1m");
    decoder.begin(foreign(values));
    const record = decoder.createRecord() as BarRecord;
    assert.equal(decoder.next(record), "value", JSON.stringify(values));
    assert.equal(decoder.leftOutSymbol, "A");
    assert.equal(decoder.next(record), undefined);
    assert.equal(record.start, TIME);
  }
  const decoder = new BatchDecoder("bar:1m");
  decoder.begin(foreign(GOOD));
  const record = decoder.createRecord() as BarRecord;
  assert.equal(decoder.next(record), undefined);
  assert.deepEqual(
    NUMBERS.map((name) => record[name]),
    GOOD,
  );
});

test("a bar with too few elements is left out, with a reason", () => {
  for (let count = 0; count < GOOD.length; count++) {
    const decoder = new BatchDecoder("bar:1m");
    const reasons: (string | undefined)[] = [];
    try {
      decoder.begin(foreign(GOOD.slice(0, count)));
      for (let left = 2; left > 0; left--) reasons.push(decoder.next(decoder.createRecord()));
    } catch (error) {
      assert.ok(error instanceof WireError);
      reasons.push(error.reason);
    }
    assert.ok(MALFORMED_REASONS.includes(reasons[0] as never), `${count}: ${reasons}`);
  }
});

test("whatever becomes of a batch of bars, each is good or refused with a reason", () => {
  const { message } = batchOf([
    { symbol: "A", seq: 1, eventTime: TIME, start: TIME, open: 1, high: 2.5, low: 1, close: 2, volume: 0.1, trades: 1 },
    { symbol: "B:X", seq: 2, eventTime: TIME, start: TIME, open: 1, high: 2, low: 1, close: 2, volume: 5, trades: 300 },
  ]);
  const change = fc.tuple(fc.nat(message.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(message.length), (changes, length) => {
      const bytes = Buffer.from(message);
      for (const [at, byte] of changes) bytes[at] = byte;
      for (const broken of [bytes, bytes.subarray(0, length)]) {
        const decoder = new BatchDecoder("bar:1m");
        try {
          const { records } = decoder.begin(broken);
          for (let left = records; left > 0; left--) {
            const record = decoder.createRecord() as BarRecord;
            const reason = decoder.next(record);
            if (reason !== undefined) assert.ok(MALFORMED_REASONS.includes(reason));
            else {
              assert.ok(record.start > 0 && record.start % SECOND === 0);
              assert.ok([record.open, record.high, record.low, record.close].every(Number.isFinite));
              assert.ok(record.volume > 0 && record.trades >= 0 && record.flags >= 0 && record.flags <= 7);
            }
          }
          decoder.value(broken, decoder.createRecord());
        } catch (error) {
          assert.ok(error instanceof WireError, String(error));
          assert.ok(MALFORMED_REASONS.includes(error.reason));
        }
      }
    }),
    { numRuns: 2_000 },
  );
});
