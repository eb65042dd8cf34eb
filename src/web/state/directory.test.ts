import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isPattern, isSymbol } from "../../base/tick.ts";
import { suggest } from "./directory.ts";

const SYMBOLS = [
  ...["BINANCE:BTCUSDT", "COINBASE:BTC-USD", "COINBASE:ETH-USD"],
  ...Array.from({ length: 300 }, (_, index) => `SIM:S${String(index).padStart(4, "0")}`),
];
const titles = (input: string) => suggest(input, SYMBOLS).map((suggestion) => suggestion.title);

test("the symbol itself is first, then what begins so, then what is named so at its venue, then the rest", () => {
  assert.equal(titles("sim:s0001")[0], "SIM:S0001");
  assert.deepEqual(titles("BTC"), ["BINANCE:BTCUSDT", "COINBASE:BTC-USD"]);
  assert.deepEqual(titles("usd"), ["BINANCE:BTCUSDT", "COINBASE:BTC-USD", "COINBASE:ETH-USD"]);
  assert.deepEqual(titles("COINBASE:"), ["COINBASE:*", "COINBASE:BTC-USD", "COINBASE:ETH-USD"]);
});

test("a pattern is suggested with the number of its symbols", () => {
  const [pattern, first] = suggest("sim:s00*", SYMBOLS);
  assert.deepEqual(pattern, { texts: ["SIM:S00*"], title: "SIM:S00*", hint: "100 symbols now, and every new one" });
  assert.equal(first.title, "SIM:S0000");
  assert.ok(titles("SIM:S00").includes("SIM:S00*"));
  assert.deepEqual(titles("s00").slice(0, 2), ["SIM:S0000", "SIM:S00*"], "without the venue as well");
  assert.ok(!titles("BTC").some((title) => title.endsWith("*")), "but not for one symbol alone");
});

test("a star elsewhere is what matches now", () => {
  const [all] = suggest("*:BTC*USD*", SYMBOLS);
  assert.deepEqual(all.texts, ["BINANCE:BTCUSDT", "COINBASE:BTC-USD"]);
  assert.deepEqual(suggest("*.nothing", SYMBOLS), []);
  assert.equal(all.title, "All 2 that match *:BTC*USD*");
  const many = Array.from({ length: 800 }, (_, index) => `X${index}`);
  assert.equal(suggest("*X*", many)[0].title, "500 of 800 that match *X*");
});

test("several are added in one go, and what is unknown is offered as such", () => {
  const [some] = suggest("a, B:*  bad?", SYMBOLS);
  assert.deepEqual(some.texts, ["A", "B:*"]);
  assert.equal(`${some.title}: ${some.hint}`, "2 of 3: the others are no symbols: BAD?");
  assert.equal(suggest("A B", SYMBOLS)[0].title, "All 2");
  assert.match(suggest("ACME", SYMBOLS)[0].hint, /not known yet/);
  assert.deepEqual(suggest("bad?", SYMBOLS), []);
  assert.deepEqual(suggest("  ", SYMBOLS), []);
});

test("whatever is typed, what is offered can be added, and is not too much", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[A-Z:*.+ ,-]{0,20}$/)), (input) => {
      const found = suggest(input, SYMBOLS);
      assert.ok(found.length <= 50);
      for (const { texts } of found) {
        assert.ok(texts.length > 0 && texts.length <= 500);
        assert.ok(texts.every((text) => isSymbol(text) || isPattern(text)));
      }
    }),
  );
});
