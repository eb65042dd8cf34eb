import assert from "node:assert/strict";
import { test } from "node:test";
import { connectionsPossible, possibleWith } from "./file_limit.ts";

test("the soft limit on open files, less what else is open, is what connections may take", () => {
  const limits = [
    "Limit                     Soft Limit           Hard Limit           Units     ",
    "Max processes             95969                95969                processes ",
    "Max open files            1024                 4096                 files     ",
  ].join("\n");
  assert.equal(possibleWith(limits), 768);
});

test("a limit below what a process needs leaves room for one connection", () => {
  assert.equal(possibleWith("Max open files            64                 64                 files     "), 1);
});

test("no limit is known where the system has none", () => {
  assert.equal(
    possibleWith("Max open files            unlimited            unlimited            files     "),
    undefined,
  );
  assert.equal(possibleWith(""), undefined);
});

test("this system's limit is read, where it has one", () => {
  const possible = connectionsPossible();
  assert.ok(possible === undefined || possible >= 1);
});
