import assert from "node:assert/strict";
import { test } from "node:test";
import { headersOf, readToken, TOKEN_KEY, type TokenStore, tokenIn, writeToken } from "./token.ts";

test("a token is found in what is pasted, and nothing else is taken for one", () => {
  for (const text of ["a.b-c.d_e", " a.b-c.d_e\n", "Bearer a.b-c.d_e", "bearer  a.b-c.d_e", '"a.b-c.d_e"'])
    assert.equal(tokenIn(text), "a.b-c.d_e", text);
  for (const text of ["", "abc", "a.b", "a.b.c.d", "a..c", "a.b.c d", "a.b.c,d", "Bearer", "<script>"])
    assert.equal(tokenIn(text), undefined, text);
});

test("it is stored and removed; a store that is missing, forbidden or has rubbish in it counts as empty", () => {
  const kept = new Map<string, string>();
  const store: TokenStore = {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
  assert.equal(readToken(store), undefined);
  assert.equal(writeToken(store, "a.b.c"), true);
  assert.equal(readToken(store), "a.b.c");
  assert.deepEqual(headersOf(readToken(store)), { Authorization: "Bearer a.b.c" });
  assert.equal(writeToken(store, undefined), true);
  assert.deepEqual([readToken(store), kept.size, headersOf(undefined)], [undefined, 0, {}]);
  kept.set(TOKEN_KEY, "two words");
  assert.equal(readToken(store), undefined);
  const forbid = () => {
    throw new Error("forbidden");
  };
  const forbidden: TokenStore = { getItem: forbid, setItem: forbid, removeItem: forbid };
  for (const none of [forbidden, undefined]) {
    assert.equal(readToken(none), undefined);
    assert.equal(writeToken(none, "a.b.c"), false);
  }
});
