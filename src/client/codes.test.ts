import assert from "node:assert/strict";
import { test } from "node:test";
import { CLOSE_CODES, ERROR_CODES } from "../protocol/codes.ts";
import { FINAL_CLOSES } from "./connection/connection.ts";
import { RETRYABLE } from "./connection/error.ts";

test("the library knows the protocol's codes as the protocol has them", () => {
  const retryable = Object.entries(ERROR_CODES).filter(([, { retryable }]) => retryable);
  assert.deepEqual(new Set(RETRYABLE), new Set(retryable.map(([code]) => code)));
  const final = Object.values(CLOSE_CODES).filter(({ comeBack }) => !comeBack);
  assert.deepEqual(new Set(FINAL_CLOSES), new Set(final.map(({ code }) => code)));
});
