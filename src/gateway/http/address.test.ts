import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addressKey, plainAddress, shortAgent, TrustedProxies } from "./address.ts";

test("addresses are short, IPv4 in IPv6 is IPv4, ports and brackets are left out", () => {
  const forms: [string, string | undefined][] = [
    ["203.0.113.7", "203.0.113.7"],
    ["203.0.113.7:4711", "203.0.113.7"],
    ["0000:0000:0000:0000:0000:0000:0000:0001", "::1"],
    ["2001:DB8:0:0:0:0:0:9", "2001:db8::9"],
    ["[2001:db8::9]:443", "2001:db8::9"],
    ["0000:0000:0000:0000:0000:ffff:7f00:0001", "127.0.0.1"],
    ["::ffff:10.1.2.3", "10.1.2.3"],
    ["fe80::1%eth0", "fe80::1"],
    ["unknown", undefined],
    ["", undefined],
    ["300.1.1.1", undefined],
    ["<script>", undefined],
  ];
  for (const [text, plain] of forms) assert.equal(plainAddress(text), plain, text);
});

test("nobody is believed unless told so", () => {
  const nobody = new TrustedProxies([]);
  for (const address of ["127.0.0.1", "::1", "", "a socket"]) assert.equal(nobody.trusts(address), false);
  assert.equal(nobody.clientOf("10.0.0.1", "203.0.113.7"), "10.0.0.1");
});

test("behind balancers that are trusted the client is the last address that is not one of theirs", () => {
  const proxies = new TrustedProxies(["10.0.0.0/8", "192.0.2.1", "2001:db8:1::/48"]);
  const cases: [peer: string, forwarded: string, client: string][] = [
    ["10.0.0.1", "203.0.113.7", "203.0.113.7"],
    ["192.0.2.1", "203.0.113.7, 10.9.9.9", "203.0.113.7"],
    ["2001:db8:1::5", "2001:db8:2::6", "2001:db8:2::6"],
    // What the client itself has written stands further left, and is not believed.
    ["10.0.0.1", "1.1.1.1, 203.0.113.7", "203.0.113.7"],
    ["10.0.0.1", "10.3.3.3,203.0.113.7", "203.0.113.7"],
    // Clients in our own network.
    ["10.0.0.1", "10.3.3.3", "10.3.3.3"],
    ["10.0.0.1", "", "10.0.0.1"],
    ["10.0.0.1", "rubbish", "10.0.0.1"],
    ["10.0.0.1", "203.0.113.7, rubbish", "10.0.0.1"],
    // Not a balancer of ours, whatever it says.
    ["192.0.2.2", "203.0.113.7", "192.0.2.2"],
    ["2001:db8:2::5", "203.0.113.7", "2001:db8:2::5"],
  ];
  for (const [peer, forwarded, client] of cases)
    assert.equal(proxies.clientOf(peer, forwarded), client, `${peer} < ${forwarded}`);
});

test("a user agent is short, and printable", () => {
  assert.equal(shortAgent("  k6/2.0 (https://k6.io)  "), "k6/2.0 (https://k6.io)");
  assert.equal(shortAgent("a\x1b[31mred\x00\u202eé"), "a?[31mred?");
  assert.equal(shortAgent("x".repeat(1_000)).length, 64);
});

test("limits count an IPv4 address, and the first 64 bits of an IPv6 address", () => {
  const keys: [string, string][] = [
    ["203.0.113.7", "203.0.113.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8::9", "2001:db8:0:0::/64"],
    ["2001:db8:1:2::", "2001:db8:1:2::/64"],
    ["::1", "0:0:0:0::/64"],
    ["::", "0:0:0:0::/64"],
    ["1:2:3::4:5:6:7", "1:2:3:0::/64"],
    ["", ""],
    ["others", "others"],
  ];
  for (const [address, key] of keys) assert.equal(addressKey(address), key, address);
});

test("addresses have the same key when their first 64 bits are the same, however they are written", () => {
  const groups = (count: number) =>
    fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: count, maxLength: count });
  const written = (parts: number[]) => plainAddress(parts.map((part) => part.toString(16)).join(":")) as string;
  fc.assert(
    fc.property(groups(4), groups(4), groups(4), groups(4), (network, other, host, another) => {
      fc.pre(network.some((part) => part > 0) && other.some((part) => part > 0));
      const key = addressKey(written([...network, ...host]));
      assert.equal(key, addressKey(written([...network, ...another])));
      assert.equal(key === addressKey(written([...other, ...host])), network.join() === other.join());
    }),
  );
});
