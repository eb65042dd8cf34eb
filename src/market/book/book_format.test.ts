import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "@msgpack/msgpack";
import fc from "fast-check";
import { Packr } from "msgpackr";
import { createTarget } from "../../msgpack/msgpack.ts";
import { DEPTHS, MAX_FRAME_BYTES } from "../../protocol/messages.ts";
import type { TickFormat } from "../frame_format.ts";
import { PublisherTable } from "../publisher_table.ts";
import { BOOK_JSON, BOOK_MSGPACK } from "./book_format.ts";
import { BOOK_LEVELS, BookPayload, BookRecord } from "./book_payload.ts";

const SENT_AT = 1_700_000_000_123_456;
const TIME = 1_700_000_000_000_000;
const packr = new Packr({ useRecords: false });

function frameOf(format: TickFormat<BookPayload>, table: PublisherTable<BookPayload>, depth: number): Buffer {
  const target = createTarget(MAX_FRAME_BYTES);
  const selection = Uint8Array.of(depth);
  const at = format.writeTick(target, format.headBytes, table, 0, selection);
  assert.ok(at - format.headBytes <= format.maxTickBytes(selection), `${at - format.headBytes} bytes`);
  return Buffer.from(target.bytes.subarray(format.finish(target, 0, at, 1, SENT_AT), at + format.tailBytes));
}

const number = fc.oneof(
  fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
  fc.nat(),
  fc.constantFrom(0, 1.2345678901234568e-300, 127, 128, 65_536, 2 ** 32, 2 ** 53 - 1),
);
const level: fc.Arbitrary<[number, number]> = fc.tuple(number, number);
/** One side may be empty, and levels may have the size 0 or be more than are kept. */
const side = fc.oneof(
  fc.array(level, { maxLength: 12 }),
  fc.array(level, { minLength: 45, maxLength: 80 }),
  fc.constant<[number, number][]>([]),
);

for (const depth of [...DEPTHS, 3, 49])
  test(`a book of depth ${depth} is what another library writes of the same`, () => {
    fc.assert(
      fc.property(side, side, fc.constantFrom(1, 200, 2 ** 33), (bids, asks, ticks) => {
        const table = new PublisherTable<BookPayload>(1, new BookPayload());
        const row = table.add("A");
        table.merge(row, { bids: bids.flat(), asks: asks.flat() }, TIME);
        table.seq[row] = ticks;
        const cut = (levels: [number, number][]) =>
          levels
            .slice(0, Math.min(depth, BOOK_LEVELS))
            .flat()
            .map((value) => (value === 0 ? 0 : value));
        const expected = [SENT_AT, [0, ticks, TIME, cut(bids), cut(asks)]];
        const binary = frameOf(BOOK_MSGPACK, table, depth);
        assert.deepEqual(decode(binary), expected);
        assert.deepEqual(binary, packr.pack(expected));
        assert.equal(frameOf(BOOK_JSON, table, depth).toString(), JSON.stringify(expected));
      }),
      { numRuns: 60 },
    );
  });

test("the longest book fits into a frame, in both formats", () => {
  const table = new PublisherTable<BookPayload>(1, new BookPayload());
  const levels = new Float64Array(200).fill(-1.2345678901234568e-300);
  table.merge(table.add("A"), { bids: levels, asks: levels }, TIME);
  for (const format of [BOOK_MSGPACK, BOOK_JSON])
    for (const depth of DEPTHS) assert.ok(frameOf(format, table, depth).length < MAX_FRAME_BYTES);
});

test("a table holds the book that it was given last, whatever it held before, and compares it", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(2), side, side), { maxLength: 20 }), (changes) => {
      const payload = new BookPayload();
      payload.grow(3);
      const model = new Map<number, [number[], number[]]>();
      for (const [row, bids, asks] of changes) {
        payload.merge(row, { bids: bids.flat(), asks: asks.flat() });
        model.set(row, [bids.slice(0, BOOK_LEVELS).flat(), asks.slice(0, BOOK_LEVELS).flat()]);
        for (const [each, [wantedBids, wantedAsks]] of model) {
          const record = new BookRecord();
          payload.read(each, record);
          assert.deepEqual([...record.bids.subarray(0, record.bidLevels * 2)], wantedBids);
          assert.deepEqual([...record.asks.subarray(0, record.askLevels * 2)], wantedAsks);
          assert.ok(payload.equals(each, record));
          if (record.askLevels > 0) {
            record.asks[record.askLevels * 2 - 1] += 1;
            record.asks[record.askLevels * 2 - 1] *= 2;
            assert.ok(!payload.equals(each, record), "a size");
            record.askLevels--;
            assert.ok(!payload.equals(each, record), "a level less");
          }
          if (record.bidLevels > 0) {
            payload.read(each, record);
            record.bids[0] = -1;
            assert.ok(!payload.equals(each, record), "the best bid");
          }
        }
      }
      payload.grow(50);
      for (const [row, [bids]] of model)
        assert.deepEqual([...payload.numbers.subarray(payload.bidsAt(row), payload.bidsAt(row) + bids.length)], bids);
      payload.clear(0);
      assert.deepEqual([payload.bidLevels[0], payload.askLevels[0]], [0, 0]);
    }),
  );
});
