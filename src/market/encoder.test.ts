import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BusRecord } from "../bus/bus.ts";
import { createTarget } from "../protocol/msgpack.ts";
import { FIELD_COUNT, FIELDS } from "../tick.ts";
import { EncoderPool, TickEncoder } from "./encoder.ts";
import { JSON_TEXT, MSGPACK } from "./format.ts";
import { MarketTable } from "./table.ts";

function written(encoder: TickEncoder, row: number): Buffer {
  const target = createTarget(encoder.maxTickBytes + 5);
  const end = encoder.write(row, target, 5);
  assert.ok(end <= target.bytes.length);
  return target.bytes.subarray(5, end);
}

const update = fc.record({
  symbol: fc.integer({ min: 0, max: 5 }),
  values: fc.array(fc.double(), { minLength: FIELD_COUNT, maxLength: FIELD_COUNT }),
  look: fc.boolean(),
});

test("cached and uncached encoders give equal bytes after any updates", () => {
  for (const format of [MSGPACK, JSON_TEXT]) {
    fc.assert(
      fc.property(
        fc.array(update, { minLength: 1, maxLength: 30 }),
        fc.subarray([...FIELDS.keys()], { minLength: 1 }),
        (updates, fields) => {
          const table = new MarketTable(10);
          const encoders = [true, false].map(
            (cached) => new TickEncoder(table, format, Uint8Array.from(fields), cached),
          );
          const [cached, uncached] = encoders;
          const check = () => {
            for (let row = 0; row < table.rows; row++) assert.deepEqual(written(cached, row), written(uncached, row));
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

test("the longest tick does not spill into the next one's place", () => {
  const table = new MarketTable(3);
  const longest = Object.fromEntries(FIELDS.map((field) => [field, -0.0000012345678901234567]));
  const encoder = new TickEncoder(table, JSON_TEXT, Uint8Array.from(FIELDS.keys()), true);
  for (const symbol of ["A", "B", "C"]) table.merge(table.add(symbol), longest, 2 ** 53 - 1);
  // Last to first: what spilled would be seen in the one behind.
  for (const row of [2, 1, 0]) written(encoder, row);
  for (const row of [0, 1, 2]) {
    const [handle] = JSON.parse(written(encoder, row).toString().slice(1)) as number[];
    assert.equal(handle, row);
  }
});

test("the cache follows the table as it grows", () => {
  const table = new MarketTable(5_000);
  const encoder = new TickEncoder(table, JSON_TEXT, Uint8Array.of(0), true);
  for (let index = 0; index < 5_000; index++) {
    table.merge(table.add(`S${index}`), { bid: index }, 1);
    assert.equal(written(encoder, index).toString(), `,[${index},1,1,${index}]`);
  }
  for (let index = 0; index < 5_000; index += 499)
    assert.equal(written(encoder, index).toString(), `,[${index},1,1,${index}]`);
});

test("equal field lists share an encoder while somebody uses it", () => {
  const pool = new EncoderPool(new MarketTable(1), 8);
  const first = pool.acquire(MSGPACK, Uint8Array.of(0, 1));
  assert.equal(pool.acquire(MSGPACK, Uint8Array.of(0, 1)), first);
  assert.notEqual(pool.acquire(MSGPACK, Uint8Array.of(1, 0)), first, "the order counts");
  assert.notEqual(pool.acquire(JSON_TEXT, Uint8Array.of(0, 1)), first, "the form counts");
  assert.equal(pool.size, 3);
  pool.release(first);
  assert.equal(pool.acquire(MSGPACK, Uint8Array.of(0, 1)), first);
  pool.release(first);
  pool.release(first);
  assert.equal(pool.size, 2);
  pool.release(first);
  assert.equal(pool.size, 2, "given back once too often is nothing");
});

test("beyond its limit the pool gives encoders that are not shared, and forgets them", () => {
  const table = new MarketTable(1);
  table.merge(table.add("A"), { bid: 1, ask: 2 }, 1);
  const pool = new EncoderPool(table, 1);
  const kept = pool.acquire(JSON_TEXT, Uint8Array.of(0));
  const extra = pool.acquire(JSON_TEXT, Uint8Array.of(2));
  assert.notEqual(pool.acquire(JSON_TEXT, Uint8Array.of(2)), extra);
  assert.equal(pool.size, 1);
  assert.equal(written(extra, 0).toString(), ",[0,1,1,2]");
  pool.release(extra);
  pool.release(kept);
  assert.equal(pool.size, 0);
});
