import type { HttpResponse } from "uWebSockets.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { OpenSockets, type ShedReason } from "./open_sockets.ts";

/** As uWebSockets.js has sockets: it tells of each that opens, and at once of one that is closed. */
function bench(limit: number, others: number) {
  const shed: ShedReason[] = [];
  let now = 0;
  const sockets = new OpenSockets(limit, others, {
    shed: (reason) => shed.push(reason),
    isBalancer: (address) => address === "10.0.0.1",
    now: () => now,
  });
  const open = (address: string) => {
    let aborted: (() => void) | undefined;
    let isOpen = true;
    const close = () => {
      if (!isOpen) return;
      isOpen = false;
      sockets.filter({} as HttpResponse, -1);
      aborted?.();
    };
    const res = {
      getRemoteAddressAsText: () => new TextEncoder().encode(address).buffer,
      onAborted: (handler: () => void) => (aborted = handler),
      close,
    };
    sockets.filter(res as unknown as HttpResponse, 1);
    return { close, upgrade: () => sockets.countUpgrade(address), isOpen: () => isOpen };
  };
  return { sockets, shed, open, pass: (millis: number) => (now += millis) };
}

test("above the limit new sockets are closed, those that are open stay", () => {
  const { sockets, shed, open } = bench(3, 100);
  const first = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(open);
  assert.equal(open("192.0.2.4").isOpen(), false);
  assert.deepEqual(shed, ["sockets"]);
  assert.ok(first.every((socket) => socket.isOpen()));
  assert.equal(sockets.count, 3);
  first[0].close();
  assert.ok(open("192.0.2.4").isOpen());
});

test("upgraded sockets count until they close", () => {
  const { sockets, open } = bench(2, 100);
  open("192.0.2.1").upgrade();
  open("192.0.2.1").upgrade();
  assert.deepEqual([sockets.notUpgraded, sockets.upgraded], [0, 2]);
  assert.ok(!open("192.0.2.2").isOpen());
  sockets.countClose();
  assert.ok(open("192.0.2.2").isOpen());
});

test("one address may open half of what there is besides connections, and as many more as it upgrades or closes", () => {
  const { shed, open } = bench(1_000, 8);
  const idle = Array.from({ length: 4 }, () => open("192.0.2.1"));
  assert.ok(!open("192.0.2.1").isOpen());
  assert.deepEqual(shed, ["address"]);
  assert.ok(open("192.0.2.2").isOpen(), "another address is not affected");
  idle[0].close();
  assert.ok(open("192.0.2.1").isOpen());
  assert.ok(!open("192.0.2.1").isOpen());
  for (let count = 0; count < 100; count++) open("192.0.2.3").upgrade();
  assert.ok(open("192.0.2.3").isOpen());
});

test("the addresses of one /64 are one, and a balancer opens for others", () => {
  const { open } = bench(1_000, 8);
  for (let count = 1; count <= 4; count++) open(`2001:db8::${count}`);
  assert.ok(!open("2001:db8::5").isOpen());
  assert.ok(open("2001:db8:0:1::5").isOpen());
  for (let count = 0; count < 50; count++) assert.ok(open("10.0.0.1").isOpen());
});

test("what an address has opened is forgotten when no such socket can still be idle", () => {
  const { open, pass } = bench(1_000, 8);
  for (let count = 0; count < 5; count++) open("192.0.2.1");
  pass(14_000);
  for (let count = 0; count < 4; count++) assert.ok(open("192.0.2.1").isOpen());
  assert.ok(!open("192.0.2.1").isOpen());
});
