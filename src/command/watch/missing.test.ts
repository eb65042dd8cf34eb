import assert from "node:assert/strict";
import { test } from "node:test";
import { madeUp } from "../../../test/support/quotes.ts";
import { missing } from "./missing.ts";

test("what has no tick is missing, and what nobody publishes is told apart", () => {
  const [ticking, unknown, resting] = ["V:A", "V:B", "V:C"].map((symbol) => madeUp(symbol, {}));
  ticking.entry.seq = 1;
  unknown.entry.reported = "stale";
  unknown.entry.reason = "unknown";
  const quotes = new Map([ticking, unknown, resting].map(({ quote }) => [quote.symbol, quote]));
  const whys = (texts: string[], refused: string[] = []) =>
    missing({ quotes }, texts, new Set(refused)).map(({ why }) => why);
  assert.deepEqual(whys(["V:A", "V:B", "V:C", "NOPE", "V:*", "*", "ZZZ:*"]), [
    "the gateway has no symbol V:B yet",
    "there is no tick of V:C yet",
    "there is no tick of NOPE yet",
    "no symbol matches ZZZ:* yet",
  ]);
  assert.deepEqual(whys(["V:B", "ZZZ:*"], ["V:B", "ZZZ:*"]), []);
});
