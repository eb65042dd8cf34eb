import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BarPayload } from "./bar_payload.ts";
import { type Bar, BarRecord } from "./bar_record.ts";
import { CLOSED_BAR, CORRECTED_BAR, PARTIAL_BAR } from "./bar_series.ts";
import { missingBars } from "./missing_bars.ts";

const LENGTH = 60;
const RUNS = { numRuns: 300 };

/** One that was built here, by its place. */
interface Built {
  readonly place: number;
  readonly volume: number;
  readonly flags: number;
}

const builtArbitrary: fc.Arbitrary<Built[]> = fc.uniqueArray(
  fc.record({
    place: fc.integer({ min: 1, max: 60 }),
    volume: fc.integer({ min: 1, max: 9 }),
    flags: fc.constantFrom(0, CLOSED_BAR, PARTIAL_BAR, CLOSED_BAR | PARTIAL_BAR),
  }),
  { selector: ({ place }) => place },
);
const placesArbitrary = fc.uniqueArray(fc.integer({ min: 1, max: 60 }));
const barOf = (place: number, volume = 5): Bar => {
  return { start: place * LENGTH, open: 2, high: 4, low: 1, close: 3, volume, trades: 0 };
};
const sorted = (places: readonly number[]) => [...places].sort((a, b) => a - b);

/** A payload with these bars, in the order of a feed's trades. */
function payloadOf(built: readonly Built[], limits = { barsPerSymbol: 1_000, maxBars: 10_000 }) {
  const payload = new BarPayload(limits, true);
  payload.clear(0);
  let seq = 0;
  for (const { place, volume, flags } of built)
    payload.merge(0, { start: place * LENGTH, price: 100, size: volume, flags }, ++seq, place * LENGTH);
  return { payload, seq };
}

/** What it holds, as records that were read one after the other after a number. */
function readAll(payload: BarPayload, rowSeq: number, after = 0): BarRecord[] {
  const count = payload.countSince(0, after);
  return Array.from({ length: count }, (_, index) => {
    const record = new BarRecord();
    record.seq = rowSeq;
    payload.read(0, record, count - 1 - index);
    return record;
  });
}

test("bars of the venue fill what is missing or partial, and never replace a complete one", () => {
  fc.assert(
    fc.property(builtArbitrary, fc.array(placesArbitrary, { maxLength: 4 }), (built, answers) => {
      const { payload, seq } = payloadOf(built);
      const model = new Map(built.map((bar) => [bar.place, { volume: bar.volume, flags: bar.flags }]));
      let last = seq;
      for (const places of answers) {
        const before = last;
        let taken = 0;
        last = payload.fill(
          0,
          sorted(places).map((place) => barOf(place)),
          before,
        );
        for (const place of places) {
          const known = model.get(place);
          if (known && ((known.flags & PARTIAL_BAR) === 0 || known.volume > 5)) continue;
          const wasClosed = known !== undefined && (known.flags & CLOSED_BAR) > 0;
          model.set(place, { volume: 5, flags: wasClosed ? CLOSED_BAR | CORRECTED_BAR : CLOSED_BAR });
          taken++;
        }
        assert.equal(last - before, taken, "a number for each");
      }
      const series = payload.seriesOf(0);
      const held = Array.from({ length: series.count }, (_, index) => {
        const at = series.from + index;
        return [series.start[at] / LENGTH, series.volume[at], series.flags[at]];
      });
      assert.deepEqual(
        held,
        sorted([...model.keys()]).map((place) => [place, model.get(place)?.volume, model.get(place)?.flags]),
      );
      const forming = built.filter(({ place }) => ((model.get(place)?.flags ?? 0) & CLOSED_BAR) === 0);
      const first = Math.min(...forming.map(({ place }) => place * LENGTH));
      assert.equal(series.formingFrom, first);
    }),
    RUNS,
  );
});

test("a bus that reads after any number gets what has changed since, in order, each number once", () => {
  fc.assert(
    fc.property(
      builtArbitrary,
      fc.array(placesArbitrary, { minLength: 1, maxLength: 4 }),
      fc.nat(),
      (built, answers, part) => {
        const { payload, seq } = payloadOf(built);
        let last = seq;
        for (const places of answers)
          last = payload.fill(
            0,
            sorted(places).map((place) => barOf(place)),
            last,
          );
        fc.pre(last > 0);
        const after = part % last;
        const numbers = readAll(payload, last, after).map((record) => record.seq);
        assert.deepEqual(numbers, sorted(numbers));
        assert.equal(numbers.at(-1), last);
        assert.ok(numbers.every((number) => number > after));
        const all = readAll(payload, last);
        assert.equal(new Set(all.map(({ start }) => start)).size, payload.seriesOf(0).count);
        const newest = new BarRecord();
        payload.read(0, newest, 0);
        assert.equal(newest.start, all.at(-1)?.start);
      },
    ),
    RUNS,
  );
});

test("limits: the newest bars stay, and past ones do not drive out others for want of memory", () => {
  fc.assert(
    fc.property(builtArbitrary, placesArbitrary, fc.integer({ min: 1, max: 40 }), (built, places, limit) => {
      const { payload } = payloadOf(built, { barsPerSymbol: limit, maxBars: 10_000 });
      const starts = () => {
        const { start, from, end } = payload.seriesOf(0);
        return Array.from(start.subarray(from, end), (each) => each / LENGTH);
      };
      const before = starts();
      payload.fill(
        0,
        sorted(places).map((place) => barOf(place)),
        100,
      );
      assert.deepEqual(starts(), sorted([...new Set([...before, ...places])]).slice(-limit));
    }),
    RUNS,
  );
  const { payload } = payloadOf([{ place: 500, volume: 1, flags: 0 }], { barsPerSymbol: 1_000, maxBars: 64 });
  payload.fill(
    0,
    Array.from({ length: 300 }, (_, index) => barOf(index + 1)),
    1,
  );
  const series = payload.seriesOf(0);
  assert.equal(series.start[series.end - 1], 500 * LENGTH);
  assert.ok(series.count > 1 && series.count <= 64, `${series.count} bars`);
  assert.equal(series.start[series.end - 2], 300 * LENGTH, "the newest of them");
});

test("a trade does not count twice in a bar of the venue's own; the unknown number of trades stays unknown", () => {
  const { payload } = payloadOf([{ place: 2, volume: 1, flags: PARTIAL_BAR }]);
  payload.fill(0, [barOf(1), barOf(2)], 1);
  assert.deepEqual(
    [1, 2, 3].map((place) => payload.accepts(0, place * LENGTH)),
    [false, false, true],
  );
  const record = Object.assign(new BarRecord(), barOf(4), { seq: 9, flags: CLOSED_BAR, symbol: "A" });
  payload.write(0, record);
  payload.merge(0, { start: record.start, price: 3, size: 1, flags: 0 }, 10, 1);
  const { trades, volume, end } = payload.seriesOf(0);
  assert.deepEqual([trades[end - 1], volume[end - 1]], [0, 6]);
});

test("the range that is asked for is the newest one, and begins and ends with a bar that is missing or partial", () => {
  fc.assert(
    fc.property(
      builtArbitrary,
      fc.integer({ min: 1, max: 60 }),
      fc.nat(60),
      fc.integer({ min: 1, max: 20 }),
      (built, from, count, most) => {
        const { payload } = payloadOf(built);
        const isMissing = (place: number) =>
          (built.find((bar) => bar.place === place)?.flags ?? PARTIAL_BAR) & PARTIAL_BAR;
        const places = Array.from({ length: count }, (_, index) => from + index).filter(isMissing);
        const span = { from: from * LENGTH, end: (from + count) * LENGTH, length: LENGTH, most };
        const range = missingBars(payload.seriesOf(0), span);
        const last = places.at(-1);
        if (last === undefined) return assert.equal(range, undefined);
        const start = places.find((place) => place > last - most);
        assert.deepEqual(range, { start: (start ?? 0) * LENGTH, count: last - (start ?? 0) + 1 });
      },
    ),
    RUNS,
  );
});
