import assert from "node:assert/strict";
import { test } from "node:test";
import type { Instrument } from "./instrument.ts";
import { latenessOf, latenessText } from "./lateness.ts";

const textOf = (...delays: (number | undefined)[]) =>
  latenessText(
    latenessOf(delays.map((delay) => ({ quote: delay === undefined ? undefined : { delay } }) as Instrument)),
  );

test("the strip says by how much prices are late on purpose, and whether all of them are", () => {
  assert.equal(textOf(), "");
  assert.equal(textOf(0, 0), "");
  assert.equal(textOf(20_000, 20_000), "Delayed 20 s");
  assert.equal(textOf(900_000), "Delayed 15 min");
  assert.equal(textOf(300, undefined), "Delayed 300 ms");
  assert.equal(textOf(20_000, 0), "Some delayed up to 20 s");
  assert.equal(textOf(20_000, 900_000), "Some delayed up to 15 min");
});
