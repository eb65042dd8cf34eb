import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { isPrintable, outsideText } from "../../../test/support/printable_texts.ts";
import { madeUp } from "../../../test/support/quotes.ts";
import type { Quote } from "../../client/client.ts";
import type { QuoteContent } from "../../client/quotes/quote_content.ts";
import type { TickRecord } from "../../client/records/tick_record.ts";
import { JSON_LINES, LinePrinter, PLAIN } from "./lines.ts";

/** A reader of standard output that takes one write at a time, when the test says so. */
class SlowReader extends Writable {
  readonly taken: string[] = [];
  #done: (() => void) | undefined;

  constructor(room = 1) {
    super({ highWaterMark: room, decodeStrings: false });
  }

  override _write(text: string, _encoding: string, done: () => void): void {
    this.taken.push(...text.split("\n").slice(0, -1));
    this.#done = done;
  }

  /** Takes what was written; resolves when what follows from it has been done. */
  async take(): Promise<void> {
    const done = this.#done;
    this.#done = undefined;
    done?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function entryOf(symbol: string, seq: number, last: number | null): { entry: TickRecord<QuoteContent>; quote: Quote } {
  const made = madeUp(symbol, { last, bid: 9 });
  made.entry.seq = seq;
  made.entry.eventTime = 1_700_000_000_123_000;
  made.entry.sentAt = 1_700_000_000_124_000;
  return made;
}

const quoteOf = (...args: Parameters<typeof entryOf>) => entryOf(...args).quote;
const tick = () => new Promise((resolve) => setImmediate(resolve));

test("plain lines say time, symbol, prices and seq", async () => {
  const out = new SlowReader(1_000);
  const printer = new LinePrinter(out, PLAIN, () => 1_700_000_001_000_000);
  printer.tick(quoteOf("A", 3, 10.25), 0);
  printer.status(quoteOf("A", 3, 10.25), "stale", "silent");
  printer.status(quoteOf("A", 3, 10.25), "live", "");
  printer.connection({ phase: "waiting", reason: "x", retryIn: 1, retryAt: 0 });
  await tick();
  assert.deepEqual(out.taken, [
    "2023-11-14T22:13:20.123Z A last=10.25 bid=9 ask=- seq=3",
    "2023-11-14T22:13:21.000Z A stale: silent",
    "2023-11-14T22:13:21.000Z A live",
  ]);
});

test("JSON lines carry a type, the fields by name and the times", async () => {
  const out = new SlowReader(10_000);
  const printer = new LinePrinter(out, JSON_LINES, () => 0);
  printer.tick(quoteOf("A", 3, null), 2);
  printer.status(quoteOf("A", 3, 1), "gap", "missed");
  for (const retryIn of [1, 2]) printer.connection({ phase: "waiting", reason: "gone", retryIn, retryAt: 0 });
  printer.quality({ op: "quality", state: "conflating", interval: 500, reason: "client" });
  await tick();
  assert.deepEqual(
    out.taken.map((line) => JSON.parse(line)),
    [
      {
        type: "tick",
        symbol: "A",
        seq: 3,
        eventTime: 1_700_000_000_123_000,
        sentAt: 1_700_000_000_124_000,
        conflated: 2,
        last: null,
        bid: 9,
      },
      { type: "status", symbol: "A", state: "gap", reason: "missed", since: 0 },
      { type: "connection", state: "waiting", reason: "gone" },
      { type: "quality", state: "conflating", interval: 500, reason: "client" },
    ],
  );
});

test("a slow reader gets the latest of each symbol, in turn, and how many ticks that leaves out", async () => {
  const out = new SlowReader();
  const printer = new LinePrinter(out, JSON_LINES, () => 0);
  const [a, b] = [entryOf("A", 1, 1), entryOf("B", 1, 1)];
  printer.tick(a.quote, 0);
  await tick();
  for (let seq = 2; seq <= 10_000; seq++) {
    for (const { entry, quote } of [a, b]) {
      entry.seq = seq;
      printer.tick(quote, 0);
    }
  }
  printer.status(b.quote, "stale", "silent");
  for (const interval of [1, 2, 3]) printer.quality({ op: "quality", state: "conflating", interval, reason: "client" });
  assert.equal(printer.waiting, 2);
  assert.ok(out.writableLength < 1_000, "nothing is queued");
  for (let turn = 0; turn < 20; turn++) await out.take();
  const lines = out.taken.map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ type, symbol, seq, conflated, interval }) => [type, symbol ?? interval, seq, conflated]),
    [
      ["tick", "A", 1, 0],
      ["quality", 3, undefined, undefined],
      ["tick", "A", 10_000, 9_998],
      ["status", "B", undefined, undefined],
      ["tick", "B", 10_000, 9_998],
    ],
  );
  assert.equal(printer.waiting, 0);
});

test("what is gathered is written at the end", async () => {
  const out = new SlowReader(1_000);
  const printer = new LinePrinter(out, PLAIN, () => 0);
  printer.tick(quoteOf("A", 1, 1), 0);
  const finished = printer.finish();
  await out.take();
  await out.take();
  await finished;
  assert.equal(out.taken.length, 1);
});

test("lines hold nothing that a terminal would obey, and JSON lines say what was said", async () => {
  const check = async (text: string) => {
    for (const format of [PLAIN, JSON_LINES]) {
      const out = new SlowReader(1_000_000);
      const printer = new LinePrinter(out, format, () => 0);
      const quote = quoteOf(text, 3, 1);
      printer.tick(quote, 0);
      printer.status(quote, "stale", text);
      printer.connection({ phase: "waiting", reason: text, retryIn: 1, retryAt: 0 });
      printer.quality({ op: "quality", state: "conflating", interval: 1, reason: text as "client" });
      printer.rejected({ symbol: text, code: "internal", message: text });
      await tick();
      assert.equal(out.taken.length, format === PLAIN ? 2 : 5, "one line each");
      for (const line of out.taken) {
        assert.ok(isPrintable(line), JSON.stringify(line));
        if (format === PLAIN) continue;
        const { symbol, reason, message } = JSON.parse(line);
        for (const said of [symbol, reason, message]) assert.ok(said === undefined || said === text);
      }
    }
  };
  await fc.assert(fc.asyncProperty(outsideText, check), { numRuns: 300 });
});

test("a time that no calendar has is no reason to fail", async () => {
  const out = new SlowReader(1_000);
  const { entry, quote } = entryOf("A", 3, 1);
  entry.eventTime = 1e300;
  new LinePrinter(out, PLAIN, () => 0).tick(quote, 0);
  await tick();
  assert.deepEqual(out.taken, ["- A last=1 bid=9 ask=- seq=3"]);
});
