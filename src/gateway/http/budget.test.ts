import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HttpBudget } from "./budget.ts";

const LIMITS = { httpRatePerAddress: 10, httpRate: 25, httpUnreadPerAddress: 100, httpUnread: 250 };

test("an address may ask for as much as it collects in two seconds at once, then for so much a second", () => {
  const budget = new HttpBudget(LIMITS, 0);
  const one = budget.accountOf("a", 0);
  for (let count = 0; count < 20; count++) assert.equal(budget.admit(one, 0), undefined);
  assert.deepEqual(budget.admit(one, 0), { reason: "address_rate", retryAfter: 1 });
  assert.equal(budget.admit(one, 100), undefined);
  assert.equal(budget.admit(one, 100)?.reason, "address_rate");
  assert.equal(budget.admit(budget.accountOf("b", 100), 100), undefined, "another address is not affected");
});

test("a large answer is paid for afterwards, and the refusal says when", () => {
  const budget = new HttpBudget(LIMITS, 0);
  const one = budget.accountOf("a", 0);
  assert.equal(budget.admit(one, 0), undefined);
  budget.charge(one, 49);
  assert.deepEqual(budget.admit(one, 0), { reason: "total_rate", retryAfter: 1 });
  assert.deepEqual(budget.admit(one, 1_000), { reason: "address_rate", retryAfter: 3 });
  assert.equal(budget.admit(one, 3_100), undefined);
});

test("all together may ask for no more than the total", () => {
  const budget = new HttpBudget(LIMITS, 0);
  let admitted = 0;
  for (let index = 0; index < 100; index++) if (!budget.admit(budget.accountOf(`${index}`, 0), 0)) admitted++;
  assert.equal(admitted, 50);
});

test("bytes that are not read are limited for an address and in total", () => {
  const budget = new HttpBudget(LIMITS, 0);
  const [one, two, three] = ["a", "b", "c"].map((address) => budget.accountOf(address, 0));
  assert.equal(budget.reserve(one, 100), undefined);
  assert.equal(budget.reserve(one, 1)?.reason, "address_unread");
  assert.equal(budget.reserve(two, 100), undefined);
  assert.equal(budget.reserve(three, 51)?.reason, "total_unread");
  budget.release(one, 100);
  assert.equal(budget.reserve(three, 51), undefined);
});

test("accounts that are as new are forgotten, and more addresses than are told apart share one", () => {
  const budget = new HttpBudget({ ...LIMITS, httpRate: 1_000_000 }, 0);
  const busy = budget.accountOf("busy", 0);
  budget.reserve(busy, 1);
  for (let index = 0; index < 20_000; index++) budget.accountOf(`${index}`, 0);
  assert.ok(budget.accountCount <= 16_384, `${budget.accountCount}`);
  assert.equal(budget.accountOf("busy", 0), busy, "one in use is kept");
  const full = new HttpBudget({ ...LIMITS, httpRate: 1_000_000 }, 0);
  for (let index = 0; index < 20_000; index++) full.admit(full.accountOf(`${index}`, 0), 0);
  assert.equal(full.accountCount, 16_385);
  assert.equal(full.accountOf("one more", 0), full.accountOf("yet one more", 0));
});

test("in any span of time an address gets no more than its rate, whatever answers cost", () => {
  const step = fc.record({ gap: fc.integer({ min: 0, max: 900 }), extra: fc.integer({ min: 0, max: 60 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const budget = new HttpBudget({ ...LIMITS, httpRate: 1_000_000 }, 0);
      const account = budget.accountOf("a", 0);
      let [now, spent, largest] = [0, 0, 0];
      for (const { gap, extra } of steps) {
        now += gap;
        if (budget.admit(account, now)) continue;
        budget.charge(account, extra);
        spent += 1 + extra;
        largest = Math.max(largest, 1 + extra);
      }
      assert.ok(spent <= 20 + (now / 1_000) * 10 + largest + 1e-6);
    }),
  );
});
