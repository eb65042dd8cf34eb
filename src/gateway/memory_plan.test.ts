import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../settings/option.ts";
import { fieldListsThatFit } from "./memory_plan.ts";

const GB = 2 ** 30;
const plan = (own: object = {}) => ({
  maxSymbols: 100_000,
  maxAwaitedSymbols: 20_000,
  maxDelayedRows: 0,
  maxFieldLists: 0,
  workers: 1,
  ...own,
});

test("where the setting names no number, field lists are as many as fit, and never none", () => {
  assert.equal(fieldListsThatFit(plan(), 16 * GB), 23);
  assert.equal(fieldListsThatFit(plan({ maxSymbols: 10_000 }), 16 * GB), 32);
  assert.equal(fieldListsThatFit(plan({ maxSymbols: 400_000 }), 16 * GB), 6);
  assert.equal(fieldListsThatFit(plan({ maxSymbols: 4_000_000 }), 16 * GB), 1);
});

test("what the settings allow and memory does not is refused, with the number that would do", () => {
  const refused = (own: object, memory: number, message: RegExp) =>
    assert.throws(
      () => fieldListsThatFit(plan(own), memory),
      (error: Error) => error instanceof UsageError && message.test(error.message),
    );
  refused({ maxSymbols: 400_000, maxFieldLists: 32 }, 16 * GB, /--max-field-lists 32 .* at most 26/);
  refused({ maxSymbols: 4_000_000 }, 1 * GB, /--max-symbols 4000000 .* need 1\.7 GB; a process has 1\.0 GB/);
  refused({ maxSymbols: 4_000_000, workers: 8 }, 8 * GB, /--max-symbols/);
  assert.equal(fieldListsThatFit(plan({ maxSymbols: 400_000, maxFieldLists: 26 }), 16 * GB), 26);
});
