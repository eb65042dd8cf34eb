import assert from "node:assert/strict";
import { test } from "node:test";
import { Streams } from "./streams.ts";

const INTERVAL = 100;
const [TRADE, BOOK, BAR] = [10, 20, 30];
const SECOND = 1_000_000;

type Tick = [handle: number, seq: number, values: unknown[], start?: number];

/** A client with one tape, one book and bars of seconds, and the promises that were broken. */
function open() {
  const broken: string[] = [];
  const streams = new Streams({ trades: true, books: true, bars: 1 }, (promise) => void broken.push(promise));
  let number = 0;
  const grant = (channel: "trade" | "book" | "bar", more: Record<string, unknown> = {}) => {
    const symbols = [["A", { trade: TRADE, book: BOOK, bar: BAR }[channel], 0]];
    const own = channel === "bar" ? { resolution: "1s" } : { depth: 10 };
    streams.control({ op: "subscribed", channel, interval: INTERVAL, ...own, symbols, ...more }, INTERVAL);
  };
  const gap = (channel: string, more: Record<string, unknown>) =>
    streams.control({ op: "status", channel, state: "gap", symbols: ["A"], ...more }, INTERVAL);
  /** A frame. @param sentAt ms */
  const frame = (sentAt: number, ticks: Tick[], bytes = 100, period = 1) => {
    number++;
    return ticks.map(([handle, seq, values, start = 0]) =>
      streams.tick({ handle, seq, eventTime: start, values }, { sentAt: sentAt * 1_000 + 1e9, number, bytes, period }),
    );
  };
  const trade = (seq: number, ...values: unknown[]): [number, number, unknown[]] => [
    ...([TRADE, seq, values.length > 0 ? values : [1.5, 2, -1, "id"]] as [number, number, unknown[]]),
  ];
  const book = (
    seq: number,
    bids: unknown = [100, 1, 99, 1],
    asks: unknown = [101, 2],
  ): [number, number, unknown[]] => [...([BOOK, seq, [bids, asks]] as [number, number, unknown[]])];
  const bar = (seq: number, second: number, flags = 0, ...own: unknown[]): Tick => {
    const values = own.length > 0 ? own : [10, 12, 9, 11, 5, 3];
    return [BAR, seq, [...values, flags], second * SECOND];
  };
  return { broken, streams, grant, gap, frame, trade, book, bar };
}

function granted() {
  const bench = open();
  bench.grant("trade");
  bench.grant("book");
  bench.grant("bar");
  return bench;
}

test("what keeps the promises", () => {
  const { streams, broken, grant, gap, frame, trade, book, bar } = open();
  assert.deepEqual(streams.commands(), [
    { channel: "trade", last: 10 },
    { channel: "book", depth: 10 },
    { channel: "bar", resolution: "1s", last: 10 },
  ]);
  grant("trade", { symbols: [["A", TRADE, 2]] });
  assert.ok(!streams.isGranted);
  grant("book");
  grant("bar", { symbols: [["A", BAR, 2]] });
  assert.ok(streams.isGranted);
  // The past ones and the first book have no age.
  assert.deepEqual(frame(0, [trade(4), trade(5), trade(6), book(3)]), [false, false, true, false]);
  gap("trade", { reason: "missed", missed: 3 });
  frame(1, [trade(10, -1, 0.5, 0, null)]);
  frame(200, [trade(11), book(7, [], [])], 2_000);
  // The frame before may have been full.
  frame(201, [trade(12)]);
  // Another period: frames in between were not read.
  assert.deepEqual(frame(3_000, [trade(90), book(8)], 100, 4), [true, true]);
  gap("trade", { reason: "reset", missed: null });
  gap("book", { reason: "reset" });
  frame(4_000, [trade(1), book(1)]);
  gap("book", { reason: "missed" });
  frame(5_000, [book(1)]);
  assert.ok(streams.isAwaitingPast);
  frame(0, [bar(0, 1, 1), bar(4, 2)]);
  assert.ok(!streams.isAwaitingPast);
  frame(100, [bar(7, 2, 1, 10, 12, 9, 11, 6, 4), bar(8, 3)]);
  // What was forming may have been closed in frames that were not read.
  frame(3_000, [bar(20, 5, 1), bar(21, 6)], 100, 4);
  gap("bar", { reason: "missed" });
  frame(3_001, [bar(21, 6)], 100, 4);
  gap("bar", { reason: "reset" });
  frame(3_101, [bar(0, 5), bar(1, 6)], 100, 4);
  assert.deepEqual(broken, []);
  const counts = { trades: 1, books: 1, bars: 1, missed: 1 };
  streams.addTo(counts);
  assert.deepEqual(counts, { trades: 9, books: 6, bars: 10, missed: 4 });
});

const BAR_BREACHES: [name: string, promise: string, act: (bench: ReturnType<typeof open>) => void][] = [
  ["a bar without flags", "bars", ({ frame }) => frame(0, [[BAR, 1, [10, 12, 9, 11, 5, 3], SECOND]])],
  ["a close above the high", "bars", ({ frame, bar }) => frame(0, [bar(1, 1, 0, 10, 12, 9, 13, 5, 3)])],
  ["a bar between two seconds", "bars", ({ frame, bar }) => frame(0, [bar(1, 1.5)])],
  ["flags that there are not", "bars", ({ frame, bar }) => frame(0, [bar(1, 1, 8)])],
  ["bars of another resolution", "granted", ({ grant }) => grant("bar", { resolution: "1m" })],
  ["too many past bars", "bars", ({ grant }) => grant("bar", { symbols: [["A", BAR, 11]] })],
  ["a past bar that was not granted", "bars", ({ frame, bar }) => frame(0, [bar(0, 1)])],
  [
    "past bars in the wrong order",
    "bars",
    ({ grant, frame, bar }) => {
      grant("bar", { symbols: [["A", BAR, 2]] });
      frame(0, [bar(0, 2, 1), bar(4, 1, 1)]);
    },
  ],
  ["a bar that goes back", "seq", ({ frame, bar }) => frame(0, [bar(2, 1), bar(1, 2)])],
  ["a closed bar again", "bars", ({ frame, bar }) => frame(0, [bar(1, 1, 1), bar(2, 1, 1)])],
  ["a closed bar that forms again", "bars", ({ frame, bar }) => frame(0, [bar(1, 1, 1), bar(2, 1)])],
  ["a bar that loses a trade", "bars", ({ frame, bar }) => frame(0, [bar(1, 1), bar(2, 1, 0, 10, 12, 9, 11, 5, 2)])],
  [
    "a bar that is not closed",
    "bars",
    ({ frame, bar }) => {
      frame(0, [bar(1, 1), bar(2, 2, 1)]);
      frame(100, [bar(3, 3)]);
    },
  ],
  [
    "bars within the interval",
    "interval",
    ({ frame, bar }) => {
      frame(0, [bar(1, 1)]);
      frame(99, [bar(2, 1)]);
    },
  ],
];

const BREACHES: [name: string, promise: string, act: (bench: ReturnType<typeof open>) => void][] = [
  ["a trade is left out", "trades", ({ frame, trade }) => frame(0, [trade(1), trade(3)])],
  ["a trade comes twice", "trades", ({ frame, trade }) => frame(0, [trade(1), trade(1)])],
  [
    "a gap tells another number",
    "trades",
    ({ frame, trade, gap }) => {
      frame(0, [trade(1)]);
      gap("trade", { reason: "missed", missed: 2 });
      frame(100, [trade(3)]);
    },
  ],
  ["a gap tells no number", "trades", ({ gap }) => gap("trade", { reason: "missed", missed: null })],
  ["a trade without size", "trades", ({ frame, trade }) => frame(0, [trade(1, 1, 0, 1, null)])],
  ["a trade without id", "trades", ({ frame, trade }) => frame(0, [trade(1, 1, 1, 1)])],
  [
    "trades within the interval",
    "interval",
    ({ frame, trade }) => {
      frame(0, [trade(1)]);
      frame(99, [trade(2)]);
    },
  ],
  ["too many past trades", "granted", ({ grant }) => grant("trade", { symbols: [["A", TRADE, 11]] })],
  ["an interval that is too short", "granted", ({ grant }) => grant("book", { interval: 50 })],
  ["a book of another depth", "granted", ({ grant }) => grant("book", { depth: 5 })],
  ["no symbol", "granted", ({ grant }) => grant("book", { symbols: [] })],
  ["a crossed book", "book", ({ frame, book }) => frame(0, [book(1, [101, 1])])],
  ["bids in the wrong order", "book", ({ frame, book }) => frame(0, [book(1, [99, 1, 100, 1])])],
  ["asks in the wrong order", "book", ({ frame, book }) => frame(0, [book(1, [], [102, 1, 101, 1])])],
  ["a level of no size", "book", ({ frame, book }) => frame(0, [book(1, [99, 0])])],
  ["a price without a size", "book", ({ frame, book }) => frame(0, [book(1, [99])])],
  ["a side that is missing", "book", ({ frame, book }) => frame(0, [book(1, null)])],
  [
    "too many levels",
    "book",
    ({ frame, book }) => frame(0, [book(1, [], Array.from({ length: 11 }, (_, level) => [101 + level, 1]).flat())]),
  ],
  ["a book twice in a frame", "once", ({ frame, book }) => frame(0, [book(1), book(2)])],
  [
    "books within the interval",
    "interval",
    ({ frame, book }) => {
      frame(0, [book(1)]);
      frame(99, [book(2)]);
    },
  ],
  [
    "a book that goes back",
    "seq",
    ({ frame, book, gap }) => {
      frame(0, [book(2)]);
      gap("book", { reason: "missed" });
      frame(100, [book(1)]);
    },
  ],
];

for (const [name, promise, act] of [...BREACHES, ...BAR_BREACHES])
  test(`found: ${name}`, () => {
    const bench = granted();
    act(bench);
    assert.deepEqual(bench.broken, [promise]);
  });
