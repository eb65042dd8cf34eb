import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { limitOfProc, limitOfReport, planSockets, socketsPossible } from "./socket_plan.ts";

test("the soft limit on open files is read, from Linux and from Node's report", () => {
  const limits = [
    "Limit                     Soft Limit           Hard Limit           Units     ",
    "Max processes             95969                95969                processes ",
    "Max open files            1024                 4096                 files     ",
  ].join("\n");
  assert.equal(limitOfProc(limits), 1_024);
  assert.equal(
    limitOfProc("Max open files            unlimited            unlimited            files     "),
    undefined,
  );
  assert.equal(limitOfProc(""), undefined);
  assert.equal(limitOfReport({ userLimits: { open_files: { soft: 10_240, hard: "unlimited" } } }), 10_240);
  for (const report of [undefined, {}, { userLimits: {} }, { userLimits: { open_files: { soft: "unlimited" } } }])
    assert.equal(limitOfReport(report), undefined);
});

test("this system's limit is read, where it has one", () => {
  const possible = socketsPossible();
  assert.ok(possible === undefined || possible >= 2);
});

test("where there is room, there are as many connections as were asked for, and an eighth more sockets", () => {
  assert.deepEqual(planSockets(16_384, undefined), { connections: 16_384, sockets: 18_432 });
  assert.deepEqual(planSockets(16_384, 18_432), { connections: 16_384, sockets: 18_432 });
  assert.deepEqual(planSockets(10, 1_000), { connections: 10, sockets: 138 });
});

test("where there is not, sockets that are no WebSocket keep their part", () => {
  assert.deepEqual(planSockets(16_384, 768), { connections: 640, sockets: 768 });
  assert.deepEqual(planSockets(16_384, 150), { connections: 75, sockets: 150 });
  assert.deepEqual(planSockets(16_384, 2), { connections: 1, sockets: 2 });
});

test("there is always room for one of each, and never more sockets than possible", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000_000 }), fc.integer({ min: 2, max: 2_000_000 }), (wanted, possible) => {
      const { connections, sockets } = planSockets(wanted, possible);
      assert.ok(connections >= 1 && connections <= wanted);
      assert.ok(sockets > connections && sockets <= possible);
    }),
  );
});
