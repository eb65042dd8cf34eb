import assert from "node:assert/strict";
import { test } from "node:test";
import { Streams } from "./streams.ts";

const INTERVAL = 100;
const [TRADE, BOOK] = [10, 20];

/** A client with one tape and one book, and the promises that were broken. */
function open() {
  const broken: string[] = [];
  const streams = new Streams(true, true, (promise) => void broken.push(promise));
  let number = 0;
  const grant = (channel: "trade" | "book", more: Record<string, unknown> = {}) => {
    const symbols = [["A", channel === "trade" ? TRADE : BOOK, 0]];
    streams.control({ op: "subscribed", channel, interval: INTERVAL, depth: 10, symbols, ...more }, INTERVAL);
  };
  const gap = (channel: string, more: Record<string, unknown>) =>
    streams.control({ op: "status", channel, state: "gap", symbols: ["A"], ...more }, INTERVAL);
  /** A frame. @param sentAt ms */
  const frame = (
    sentAt: number,
    ticks: [handle: number, seq: number, values: unknown[]][],
    bytes = 100,
    period = 1,
  ) => {
    number++;
    return ticks.map(([handle, seq, values]) =>
      streams.tick({ handle, seq, eventTime: 0, values }, { sentAt: sentAt * 1_000 + 1e9, number, bytes, period }),
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
  return { broken, streams, grant, gap, frame, trade, book };
}

function granted() {
  const bench = open();
  bench.grant("trade");
  bench.grant("book");
  return bench;
}

test("what keeps the promises", () => {
  const { streams, broken, grant, gap, frame, trade, book } = open();
  assert.deepEqual(streams.commands(), [
    { channel: "trade", last: 10 },
    { channel: "book", depth: 10 },
  ]);
  grant("trade", { symbols: [["A", TRADE, 2]] });
  assert.ok(!streams.isGranted);
  grant("book");
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
  assert.deepEqual(broken, []);
  const counts = { trades: 1, books: 1, missed: 1 };
  streams.addTo(counts);
  assert.deepEqual(counts, { trades: 9, books: 6, missed: 4 });
});

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

for (const [name, promise, act] of BREACHES)
  test(`found: ${name}`, () => {
    const bench = granted();
    act(bench);
    assert.deepEqual(bench.broken, [promise]);
  });
