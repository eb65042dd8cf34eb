import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "@msgpack/msgpack";
import fc from "fast-check";
import { FIELD_COUNT, FIELDS, type TickPatch } from "../../base/tick.ts";
import { createTarget } from "../../msgpack/msgpack.ts";
import { MAX_FRAME_BYTES } from "../../protocol/messages.ts";
import { PublisherTable } from "../publisher_table.ts";
import { QUOTE_JSON, QUOTE_MSGPACK, type QuoteFormat } from "./quote_format.ts";

const FORMATS = [QUOTE_MSGPACK, QUOTE_JSON];
const ALL = Uint8Array.from(FIELDS.keys());
const SENT_AT = 1_700_000_000_123_456;

function read(format: QuoteFormat, bytes: Uint8Array): unknown {
  return format.binary ? decode(bytes) : JSON.parse(Buffer.from(bytes).toString());
}

/** One frame of the row as often as said. */
function frame(format: QuoteFormat, table: PublisherTable, row: number, fields: Uint8Array, count: number): unknown {
  const target = createTarget(MAX_FRAME_BYTES);
  let at = format.headBytes;
  for (let index = 0; index < count; index++) {
    const end = format.writeTick(target, at, table, row, fields);
    assert.ok(end - at <= format.maxTickBytes(fields), `${end - at} bytes`);
    at = end;
  }
  return read(format, target.bytes.subarray(format.finish(target, 0, at, count, SENT_AT), at + format.tailBytes));
}

/** Equal as numbers are: the sign of a zero is no price. */
function same(given: unknown, wanted: unknown): void {
  assert.deepEqual(
    JSON.parse(JSON.stringify(given), (_, value) => (value === 0 ? 0 : value)),
    JSON.parse(JSON.stringify(wanted), (_, value) => (value === 0 ? 0 : value)),
  );
}

/** Decimals as prices have them: up to 15 digits, the point anywhere. */
const price = fc
  .tuple(fc.integer({ min: -999_999_999_999_999, max: 999_999_999_999_999 }), fc.integer({ min: 0, max: 20 }))
  .map(([digits, point]) => Number(`${digits}e-${point}`));
const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  price,
  fc.maxSafeInteger(),
  fc.constant(null),
);

const EDGES = [7, 8, 15, 16, 31, 32, 33, 52, 53, 63, 64].flatMap((power) =>
  [-1, -0.5, 0, 0.5, 1].flatMap((near) => [2 ** power + near, -(2 ** power + near)]),
);
const EXTREMES = [
  0,
  -0,
  Number.MAX_VALUE,
  -Number.MAX_VALUE,
  Number.MIN_VALUE,
  -Number.MIN_VALUE,
  Number.EPSILON,
  -1.2345678901234568e-300,
  // The longest that a double gets as text: JavaScript writes an exponent from 1e-7 on.
  -1.2345678901234567e-6,
  123_456_789_012_345,
  0.123456789012345,
  12_345_678.9012345,
  1e21,
  123_456_789_012_345_680_000,
];

function patchOf(values: readonly (number | null)[]): TickPatch {
  return Object.fromEntries(FIELDS.map((field, index) => [field, values[index % values.length]]));
}

for (const format of FORMATS) {
  const name = format.binary ? "MessagePack" : "JSON";

  test(`${name}: every number arrives exactly`, () => {
    const table = new PublisherTable(1);
    const row = table.add("A");
    fc.assert(
      fc.property(fc.array(number, { minLength: 10, maxLength: 10 }), fc.maxSafeInteger(), (values, eventTime) => {
        table.merge(row, patchOf(values), eventTime);
        const tick = [row, table.seq[row], eventTime, ...values];
        same(frame(format, table, row, ALL, 1), [SENT_AT, tick]);
      }),
      { numRuns: 2_000 },
    );
    for (const value of [...EDGES, ...EXTREMES]) {
      table.merge(row, patchOf([value]), SENT_AT);
      same(frame(format, table, row, ALL, 1), [
        SENT_AT,
        [row, table.seq[row], SENT_AT, ...new Array(FIELD_COUNT).fill(value)],
      ]);
    }
  });

  test(`${name}: the largest tick is as large as is said, with the largest handle, seq and time`, () => {
    const table = new PublisherTable(4_000_000);
    const row = 3_999_999;
    const [seq, eventTime] = [2 ** 53 - 1, 2 ** 53 - 1];
    const fields = ALL;
    const [sparse, values] = [new Float64Array(row + 1), new Float64Array((row + 1) * FIELD_COUNT)];
    sparse[row] = seq;
    values.fill(-0.0000012345678901234567, row * FIELD_COUNT);
    const handle = new Int32Array(row + 1).fill(row);
    table.payload.values = values;
    const large = Object.assign(table, { handle, seq: sparse, eventTime: new Float64Array(sparse) });
    same(frame(format, large, row, fields, 3), [
      SENT_AT,
      ...new Array(3).fill([row, seq, eventTime, ...new Array(FIELD_COUNT).fill(-0.0000012345678901234567)]),
    ]);
  });

  test(`${name}: fields come in the order in which they were granted, null where not known`, () => {
    const table = new PublisherTable(1);
    const row = table.add("A");
    table.merge(row, { last: 5, bid: 4.5, volume: 1e9 }, 1);
    const fields = Uint8Array.of(9, 4, 2, 0);
    same(frame(format, table, row, fields, 1), [SENT_AT, [row, 1, 1, 1e9, 5, null, 4.5]]);
  });

  test(`${name}: a value that is no number at all is not known`, () => {
    const table = new PublisherTable(1);
    const row = table.add("A");
    table.merge(row, { bid: Number.NaN, ask: null }, 1);
    same(frame(format, table, row, Uint8Array.of(0, 2), 1), [SENT_AT, [row, 1, 1, null, null]]);
  });

  test(`${name}: nothing that is not finite leaves, whatever got into the table`, () => {
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const table = new PublisherTable(1);
      const row = table.add("A");
      table.merge(row, { bid: wrong }, wrong);
      same(frame(format, table, row, Uint8Array.of(0), 1), [SENT_AT, [row, 1, null, null]]);
    }
  });

  test(`${name}: frames of any number of ticks are whole`, () => {
    const table = new PublisherTable(1);
    const row = table.add("A");
    table.merge(row, { bid: 1 }, 1);
    for (const count of [0, 1, 13, 14, 15, 16, 17, 255, 256, 1_000]) {
      const [sentAt, ...ticks] = frame(format, table, row, Uint8Array.of(0), count) as unknown[];
      assert.equal(sentAt, SENT_AT);
      assert.equal(ticks.length, count);
    }
  });
}
