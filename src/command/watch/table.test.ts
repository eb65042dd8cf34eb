import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isPrintable, outsideText } from "../../../test/support/printable_texts.ts";
import { madeUp, setValues } from "../../../test/support/quotes.ts";
import type { Quote } from "../../client/client.ts";
import type { QuoteContent } from "../../client/quotes/quote_content.ts";
import type { TickRecord } from "../../client/records/tick_record.ts";
import { COLOURED, cut, PLAIN_STYLE } from "../terminal/style.ts";
import { age, changePercent, decimalsOf, price, size } from "./number.ts";
import { WatchTable } from "./table.ts";

const NOW = 1_700_000_000_000_000;

function entryOf(symbol: string, last: number | null): { entry: TickRecord<QuoteContent>; quote: Quote } {
  const values = { bid: 10.1, bidSize: 1_500_000, ask: 10.25, askSize: 0.015, last, open: 10 };
  const made = madeUp(symbol, values, NOW);
  made.entry.seq = 7;
  made.entry.eventTime = NOW - 1_500_000;
  return made;
}

const quoteOf = (symbol: string, last: number | null) => entryOf(symbol, last).quote;

function tableOf(quotes: Quote[], style = PLAIN_STYLE, order: "symbol" | "activity" = "symbol"): WatchTable {
  const table = new WatchTable(order, style, () => NOW);
  for (const quote of quotes) {
    table.granted(quote);
    table.tick(quote);
  }
  return table;
}

test("a row shows prices in line, sizes short, the change, the age and the state", () => {
  const lines = tableOf([quoteOf("V:A", 10.5), madeUp("V:B", {}).quote]).draw(120, 5);
  assert.deepEqual(
    lines.map((line) => line.trimEnd().split(/\s\s+/)),
    [
      ["symbol", "last", "bid × size", "ask × size", "change", "age", "seq", "conflated", "state"],
      ["V:A", "10.50", "10.10 ×", "1.5M", "10.25 ×", "0.015", "+5.00%", "1.5s", "7", "0", "live"],
      ["V:B", "-", "-", "-", "-", "-", "-", "0", "waiting"],
    ],
  );
});

test("a price keeps as many decimals as it has had", () => {
  const { entry, quote } = entryOf("A", 10.125);
  const table = tableOf([quote]);
  assert.match(table.draw(120, 3)[1], /A\s+10\.125 /);
  setValues(entry, { last: 11 });
  assert.match(table.draw(120, 3)[1], /A\s+11\.000\s+10\.100 ×/);
});

test("it is never larger than the terminal, and keeps the symbol and the price longest", () => {
  const quotes = Array.from({ length: 50 }, (_, index) => quoteOf(`VENUE:SYMBOL-${index}`, index));
  const table = tableOf(quotes);
  for (const height of [0, 1, 2, 10, 100])
    for (let width = 1; width <= 140; width += 3) {
      const lines = table.draw(width, height);
      assert.equal(lines.length, Math.min(height, 51));
      for (const line of lines) assert.ok(line.length <= width, `${line.length} in ${width}`);
    }
  assert.match(table.draw(36, 2)[0], /^symbol\s+last/);
  assert.equal(table.draw(10, 2)[1], "VENUE:SYM…");
});

test("rows stand by symbol, or the most active first", () => {
  const entries = ["C", "A", "B"].map((symbol) => entryOf(symbol, 1));
  const table = tableOf(entries.map(({ quote }) => quote));
  const order = () =>
    table
      .draw(80, 10)
      .slice(1)
      .map((line) => line.slice(0, 1))
      .join("");
  assert.equal(order(), "ABC");
  entries[2].entry.ticks = 5;
  entries[0].entry.ticks = 1;
  entries[0].entry.conflated = 10;
  table.second();
  assert.equal(order(), "ABC");
  table.toggle();
  assert.equal(order(), "CBA");
  // What is past fades: a symbol that is active now comes first before long.
  for (let second = 0; second < 4; second++) {
    entries[1].entry.ticks += 4;
    table.second();
  }
  assert.equal(order(), "ACB");
  table.ended(entries[0].quote);
  assert.equal(order(), "AB");
});

test("moves are coloured, and what is not live is marked in word and colour", () => {
  const { entry, quote } = entryOf("A", 10);
  const table = tableOf([quote], COLOURED);
  // Escapes as a person can read them.
  const line = () => table.draw(120, 2)[1].replaceAll("\x1b[", "<");
  assert.doesNotMatch(line(), /<1;3/);
  setValues(entry, { last: 11 });
  table.tick(quote);
  assert.match(line(), /<1;32m\s*11\.00<0m/);
  setValues(entry, { last: 9 });
  table.tick(quote);
  assert.match(line(), /<1;31m\s*9\.00<0m/);
  entry.link.current = false;
  const stale = line();
  assert.match(stale, /<2m\s*9\.00<0m/);
  assert.match(stale, /<30;43mSTALE/);
});

test("the change has its sign whatever the open's is, and is not told where the open is 0 or not known", () => {
  assert.deepEqual(
    [changePercent(-2.45, -2), changePercent(-1.5, -2), changePercent(5, 4), changePercent(4, 4)],
    ["-22.50%", "+25.00%", "+25.00%", "+0.00%"],
  );
  assert.deepEqual([changePercent(1.000_01, 1), changePercent(0.999_99, 1)], ["+0.001%", "-0.001%"]);
  assert.deepEqual([changePercent(5, 0), changePercent(5, null), changePercent(null, 5)], ["-", "-", "-"]);
});

test("numbers are shown short and whole", () => {
  assert.deepEqual([decimalsOf(1), decimalsOf(0.25), decimalsOf(1e-7), decimalsOf(1e21)], [0, 2, 7, 0]);
  assert.deepEqual([decimalsOf(1.5e-7), decimalsOf(1.5e-20), decimalsOf(1.25e21)], [8, 10, 0]);
  assert.deepEqual([price(1.5, 3), price(null, 3)], ["1.500", "-"]);
  assert.deepEqual(
    [price(1.235e-9, 10), price(-1.5e-20, 10), price(0.000_4, 2), price(0, 2)],
    [...["1.235e-9", "-1.5e-20", "0.0004", "0.00"]],
  );
  assert.deepEqual(
    [size(0.015), size(340), size(12_345), size(2.5e6), size(3e9), size(null)],
    ["0.015", "340", "12.3k", "2.5M", "3.0G", "-"],
  );
  assert.deepEqual([-5, 250_000, 3_400_000, 312e6, 11_100e6, 200_000e6].map(age), [
    "0ms",
    "250ms",
    "3.4s",
    "5m12s",
    "3h05m",
    "2d07h",
  ]);
  assert.deepEqual([cut("abc", 3), cut("abcd", 3), cut("abc", 1), cut("abc", 0)], ["abc", "ab…", "…", ""]);
});

test("the table holds nothing that a terminal would obey, whatever a gateway calls a symbol", () => {
  fc.assert(
    fc.property(outsideText, fc.integer({ min: 1, max: 120 }), (symbol, width) => {
      for (const line of tableOf([quoteOf(symbol, 10)]).draw(width, 5)) {
        assert.ok(isPrintable(line), JSON.stringify(line));
        assert.ok(line.length <= width);
      }
    }),
    { numRuns: 500 },
  );
});
