import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FIELD_COUNT, FIELDS } from "../base/tick.ts";
import { BusRecord } from "./bus_record.ts";
import { TickEncoder } from "./encoder.ts";
import { EncoderPool, quoteEncoders } from "./encoder_pool.ts";
import { GatewayTable } from "./gateway_table.ts";
import { type Heap, HeapFull } from "./heap.ts";
import { ENTRY_BYTES } from "./heap_layout.ts";
import { PublisherTable } from "./publisher_table.ts";
import { QUOTE_JSON, QUOTE_MSGPACK } from "./quote/quote_format.ts";
import type { Entries, Filling } from "./row_encoder.ts";
import { markOf } from "./seq_mark.ts";
import type { MarketTable } from "./table.ts";

/** A frame of some rows, each once, and what was told of them before: nothing but for those named. */
class Pass implements Filling {
  at: number;
  limit: number;
  count = 0;
  conflated = 0;
  oldest = Number.NEGATIVE_INFINITY;
  readonly spare: Entries = { entries: 0 };
  readonly noted: number;
  readonly result: number;
  readonly entries: number;
  readonly start: number;
  readonly #heap: Heap;
  readonly #size: number;

  constructor(heap: Heap, rows: readonly number[], room = 65_536) {
    this.#heap = heap;
    this.#size = rows.length;
    this.result = heap.alloc(16);
    this.noted = heap.alloc(rows.length * 4);
    this.entries = heap.alloc(rows.length * ENTRY_BYTES);
    this.start = heap.alloc(room + 400);
    this.at = this.start;
    this.limit = this.start + room;
    rows.forEach((row, index) => {
      heap.i32[(this.entries >>> 2) + index * 2] = row;
    });
  }

  toldOf(index: number): number {
    return this.#heap.u32[(this.entries >>> 2) + index * 2 + 1];
  }

  /** Begins another frame. */
  again(): void {
    this.at = this.start;
    this.count = this.conflated = 0;
  }

  copy(encoder: TickEncoder, from = 0): number {
    return encoder.copyChanged(this, from, this.#size, this);
  }

  get bytes(): Buffer {
    return Buffer.from(this.#heap.bytes.subarray(this.start, this.at));
  }
}

function written(table: MarketTable, encoder: TickEncoder, row: number): Buffer {
  const pass = new Pass(table.heap, [row]);
  assert.equal(pass.copy(encoder), 1);
  return pass.bytes;
}

const update = fc.record({
  symbol: fc.integer({ min: 0, max: 5 }),
  values: fc.array(fc.double(), { minLength: FIELD_COUNT, maxLength: FIELD_COUNT }),
  look: fc.boolean(),
});

test("cached and uncached encoders give equal bytes after any updates", () => {
  for (const format of [QUOTE_MSGPACK, QUOTE_JSON]) {
    fc.assert(
      fc.property(
        fc.array(update, { minLength: 1, maxLength: 30 }),
        fc.subarray([...FIELDS.keys()], { minLength: 1 }),
        (updates, fields) => {
          const table = new GatewayTable(10);
          const encoders = [true, false].map(
            (cached) => new TickEncoder(table, format, Uint8Array.from(fields), cached),
          );
          const [cached, uncached] = encoders;
          const check = () => {
            for (let row = 0; row < table.rows; row++)
              assert.deepEqual(written(table, cached, row), written(table, uncached, row));
          };
          updates.forEach(({ symbol, values, look }, index) => {
            const record = new BusRecord();
            Object.assign(record, {
              symbol: `S${symbol}`,
              epoch: 1,
              seq: index + 1,
              values: Float64Array.from(values),
            });
            table.apply(record);
            if (look) check();
          });
          check();
        },
      ),
      { numRuns: 200 },
    );
  }
});

test("a pass copies what has changed, all of it and once, in frames of any size, and counts what was left out", () => {
  const step = fc.record({
    ticks: fc.array(fc.integer({ min: 0, max: 7 }), { maxLength: 12 }),
    room: fc.integer({ min: 20, max: 700 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), fc.constantFrom(QUOTE_MSGPACK, QUOTE_JSON), (steps, format) => {
      const table = new PublisherTable(8);
      for (let row = 0; row < 8; row++) table.add(`S${row}`);
      const rows = [5, 2, 7, 0, 3];
      const told = new Map<number, number>();
      const encoders = [true, false].map((cached) => new TickEncoder(table, format, Uint8Array.of(0, 3), cached));
      const passes = encoders.map(() => new Pass(table.heap, rows, 700));
      for (const { ticks, room } of steps) {
        for (const row of ticks) table.merge(row, { bid: table.clock / 8, askSize: row }, 1_700_000_000_000_000);
        const due = rows.filter((row) => table.seq[row] !== (told.get(row) ?? 0));
        const frames = passes.map((pass, which) => {
          pass.limit = pass.start + room;
          const all: { noted: number[]; bytes: string; count: number; conflated: number }[] = [];
          for (let from = 0; from < rows.length; ) {
            pass.again();
            from = pass.copy(encoders[which], from);
            assert.ok(pass.count <= 1 || pass.at <= pass.limit, "a frame is no larger than it may be");
            assert.ok(pass.count > 0 || from === rows.length, "the first tick always fits");
            const noted = Array.from({ length: pass.count }, (_, index) => table.heap.i32[(pass.noted >>> 2) + index]);
            all.push({ noted, bytes: pass.bytes.toString("latin1"), count: pass.count, conflated: pass.conflated });
          }
          return all;
        });
        assert.deepEqual(frames[0], frames[1], "shared bytes are those that would be written anew");
        const sum = (key: "count" | "conflated") => frames[0].reduce((total, frame) => total + frame[key], 0);
        assert.equal(sum("count"), due.length);
        const left = due.filter((row) => told.has(row)).map((row) => table.seq[row] - (told.get(row) as number) - 1);
        assert.equal(
          sum("conflated"),
          left.reduce((total, count) => total + count, 0),
        );
        for (const row of due) told.set(row, table.seq[row]);
        rows.forEach((row, index) => {
          for (const pass of passes) assert.equal(pass.toldOf(index), table.seq[row] > 0 ? markOf(table.seq[row]) : 0);
        });
      }
    }),
    { numRuns: 300 },
  );
});

test("the longest tick does not spill into the next one's place", () => {
  const table = new PublisherTable(3);
  const longest = Object.fromEntries(FIELDS.map((field) => [field, -0.0000012345678901234567]));
  const encoder = new TickEncoder(table, QUOTE_JSON, Uint8Array.from(FIELDS.keys()), true);
  for (const symbol of ["A", "B", "C"]) table.merge(table.add(symbol), longest, 2 ** 53 - 1);
  // Last to first: what spilled would be seen in the one behind.
  for (const row of [2, 1, 0]) written(table, encoder, row);
  for (const row of [0, 1, 2]) {
    const [handle] = JSON.parse(written(table, encoder, row).toString().slice(1)) as number[];
    assert.equal(handle, row);
  }
});

test("the cache follows the table as it grows", () => {
  const table = new PublisherTable(5_000);
  const encoder = new TickEncoder(table, QUOTE_JSON, Uint8Array.of(0), true);
  for (let index = 0; index < 5_000; index++) {
    table.merge(table.add(`S${index}`), { bid: index }, 1);
    assert.equal(written(table, encoder, index).toString(), `,[${index},1,1,${index}]`);
  }
  for (let index = 0; index < 5_000; index += 499)
    assert.equal(written(table, encoder, index).toString(), `,[${index},1,1,${index}]`);
});

test("without memory for what it keeps, an encoder goes on and keeps nothing", () => {
  const table = new PublisherTable(5_000);
  const encoder = new TickEncoder(table, QUOTE_JSON, Uint8Array.of(0), true);
  table.merge(table.add("A"), { bid: 1 }, 1);
  assert.equal(written(table, encoder, 0).toString(), ",[0,1,1,1]");
  for (let index = 0; index < 2_000; index++) table.merge(table.add(`S${index}`), { bid: index }, 1);
  const alloc = table.heap.alloc.bind(table.heap);
  table.heap.alloc = (bytes) => {
    if (bytes > 100_000) throw new HeapFull("no memory");
    return alloc(bytes);
  };
  for (let row = 0; row < 2_001; row += 100)
    assert.equal(written(table, encoder, row).toString(), `,[${row},1,1,${row === 0 ? 1 : row - 1}]`);
  assert.ok(encoder.isShared, "those who hold it find each other");
  encoder.close();
});

test("equal field lists share an encoder while somebody uses it", () => {
  const pool = new EncoderPool(quoteEncoders(new GatewayTable(1)), 8);
  const first = pool.acquire(QUOTE_MSGPACK, Uint8Array.of(0, 1));
  assert.equal(pool.acquire(QUOTE_MSGPACK, Uint8Array.of(0, 1)), first);
  assert.notEqual(pool.acquire(QUOTE_MSGPACK, Uint8Array.of(1, 0)), first, "the order counts");
  assert.notEqual(pool.acquire(QUOTE_JSON, Uint8Array.of(0, 1)), first, "the form counts");
  assert.equal(pool.size, 3);
  pool.release(first);
  assert.equal(pool.acquire(QUOTE_MSGPACK, Uint8Array.of(0, 1)), first);
  pool.release(first);
  pool.release(first);
  assert.equal(pool.size, 2);
  pool.release(first);
  assert.equal(pool.size, 2, "given back once too often is nothing");
});

test("beyond its limit the pool gives encoders that are not shared, and forgets them", () => {
  const table = new PublisherTable(1);
  table.merge(table.add("A"), { bid: 1, ask: 2 }, 1);
  const pool = new EncoderPool(quoteEncoders(table), 1);
  const kept = pool.acquire(QUOTE_JSON, Uint8Array.of(0));
  const extra = pool.acquire(QUOTE_JSON, Uint8Array.of(2));
  assert.notEqual(pool.acquire(QUOTE_JSON, Uint8Array.of(2)), extra);
  assert.equal(pool.size, 1);
  assert.equal(written(table, extra as TickEncoder, 0).toString(), ",[0,1,1,2]");
  pool.release(extra);
  pool.release(kept);
  assert.equal(pool.size, 0);
});
