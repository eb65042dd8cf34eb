import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  FIRST_PREFERENCES,
  LIST_KEY,
  linkOf,
  PREFERENCES_KEY,
  readLink,
  readList,
  readPreferences,
  type Store,
  writeList,
  writePreferences,
} from "./keep.ts";
import { add, fold, MOST_ENTRIES, remove } from "./watchlist.ts";

class FakeStore implements Store {
  readonly items = new Map<string, string>();

  getItem(key: string): string | null {
    return this.items.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    this.items.set(key, value);
  }
}

test("a list and a view come back as they were kept", () => {
  const store = new FakeStore();
  const list = fold(remove(add([], ["A", "SIM:*"]), "SIM:S0001"), "SIM:*", true);
  writeList(store, list);
  assert.deepEqual(readList(store), list);
  const view = { interval: 1_000, theme: "light", sort: { key: "change", isDescending: true } } as const;
  writePreferences(store, view);
  assert.deepEqual(readPreferences(store), view);
});

test("an empty list that was kept is not the same as none", () => {
  const store = new FakeStore();
  assert.equal(readList(store), undefined);
  writeList(store, []);
  assert.deepEqual(readList(store), []);
});

test("nothing that is kept can break the page", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), fc.constant('{"version":1,"entries":[{"text":5},null]}')), (text) => {
      const store = new FakeStore();
      store.setItem(LIST_KEY, text);
      store.setItem(PREFERENCES_KEY, text);
      assert.ok((readList(store) ?? []).every((entry) => typeof entry.text === "string"));
      assert.ok(readPreferences(store).interval >= 0);
    }),
  );
  const store = new FakeStore();
  store.setItem(PREFERENCES_KEY, '{"version":1,"interval":7,"theme":"pink","sort":{"key":"mood"}}');
  assert.deepEqual(readPreferences(store), FIRST_PREFERENCES);
  store.setItem(LIST_KEY, '{"version":2,"entries":[{"text":"A"}]}');
  assert.equal(readList(store), undefined, "of another version");
});

test("a browser that lets nothing be kept is none", () => {
  const store: Store = {
    getItem() {
      throw new Error("denied");
    },
    setItem() {
      throw new Error("full");
    },
  };
  writeList(store, add([], ["A"]));
  assert.equal(readList(store), undefined);
  assert.deepEqual(readPreferences(undefined), FIRST_PREFERENCES);
});

test("a link carries a list, and nothing that is no symbol", () => {
  assert.equal(linkOf(add([], ["A", "SIM:*"])), "#symbols=A,SIM:*");
  assert.deepEqual(readLink("#symbols=A,SIM:*"), add([], ["A", "SIM:*"]));
  const special = add([], ["ES=F", "^GSPC", "BRK/B", "a&b+c", "X@Y!$~"]);
  assert.deepEqual(readLink(linkOf(special)), special);
  assert.deepEqual(readLink("#symbols=a,%20b,<script>,,A"), add([], ["a", "b", "A"]));
  assert.deepEqual(readLink("#symbols=COINBASE%3ABTC-USD"), add([], ["COINBASE:BTC-USD"]));
  for (const hash of ["", "#", "#symbols=", "#symbols=%%%", "#other=A"]) assert.equal(readLink(hash), undefined, hash);
  const many = Array.from({ length: 5_000 }, (_, index) => `S${index}`);
  assert.equal(readLink(`#symbols=${many.join(",")}`)?.length, MOST_ENTRIES);
});
