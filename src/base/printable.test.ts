import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isPrintable, outsideText } from "../../test/support/printable_texts.ts";
import { escapeJson, printable, printableJson } from "./printable.ts";

test("control characters are shown as pictures, what cannot be seen as a replacement, all else as it is", () => {
  for (const [text, shown] of [
    ["EUR–USD × 1 µs ▲ é 中 😀", "EUR–USD × 1 µs ▲ é 中 😀"],
    ["\x1b[2J\x1b]0;mine\x07", "␛[2J␛]0;mine␇"],
    ["a\r\nb\tc\0", "a␍␊b␉c␀"],
    ["\x7f\x9b31m\x85\u2028\u2029", "␡\ufffd31m\ufffd\ufffd\ufffd"],
    ["abc\u202edef\u2066\u200f\u061c", "abc\ufffddef\ufffd\ufffd\ufffd"],
    ["a\u200bb\u200d\ufeff\u00ad\u2060\u3164\ufe0f", "a\ufffdb\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd"],
    ["\u{e0041}\u{e01ef}", "\ufffd\ufffd"],
    ["\ud83d \ude00", "\ufffd \ufffd"],
  ])
    assert.equal(printable(text), shown);
});

test("no text from outside has anything left that a terminal would obey or not show", () => {
  fc.assert(
    fc.property(outsideText, (text) => {
      const shown = printable(text);
      assert.ok(isPrintable(shown), JSON.stringify(shown));
      assert.equal(printable(shown), shown, "once is enough");
    }),
    { numRuns: 2_000 },
  );
});

test("JSON says the same, and has nothing of it either", () => {
  fc.assert(
    fc.property(fc.dictionary(outsideText, outsideText), (value) => {
      const json = printableJson(value);
      assert.ok(isPrintable(json), json);
      assert.deepEqual(JSON.parse(json), JSON.parse(JSON.stringify(value)));
      assert.equal(escapeJson(json), json);
    }),
    { numRuns: 1_000 },
  );
});
