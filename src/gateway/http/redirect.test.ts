import assert from "node:assert/strict";
import { test } from "node:test";
import { httpsAddress } from "./redirect.ts";

const ANY = ["*"];

test("the https address has the host, path and query of the request, and the clients' port where it is not 443", () => {
  for (const [host, target, port, address] of [
    ["prices.example.com", "/", 443, "https://prices.example.com/"],
    ["Prices.Example.com:80", "/v1/ticks?symbols=A,B", 8443, "https://prices.example.com:8443/v1/ticks?symbols=A,B"],
    ["127.0.0.1:8080", "/v1/stream", 8443, "https://127.0.0.1:8443/v1/stream"],
    ["[::1]:80", "/", 443, "https://[::1]/"],
    ["prices.example.com", "//evil.example/x", 443, "https://prices.example.com//evil.example/x"],
    ["prices.example.com", "/@evil.example\\x", 443, "https://prices.example.com/@evil.example\\x"],
  ] as const)
    assert.equal(httpsAddress(host, target, port, ANY), address);
});

test("the address leads to the host of the request, whatever its target is", () => {
  for (const target of ["//evil.example", "/\\evil.example", "/.evil.example", "/:1@evil.example", "/%0d%0aX:y"])
    assert.equal(new URL(httpsAddress("ours.example", target, 443, ANY) as string).host, "ours.example");
});

test("hosts and targets that are not valid have none", () => {
  for (const host of [
    ...[
      "",
      "a b",
      "a@b",
      "a/b",
      "a\\b",
      "a?b",
      "a#b",
      "a:b",
      "a:123456",
      "[::1",
      "[a]",
      "a\r\nX: y",
      "a\n",
      "ä.example",
    ],
    ...["user:password@ours.example", "ours.example,evil.example", "*", "a%2eb", "a\0b"],
  ])
    assert.equal(httpsAddress(host, "/", 443, ANY), undefined, JSON.stringify(host));
  for (const target of ["", "*", "a", "http://evil.example/", "/a b", "/a\r\nX: y", "/a\n", "/ä", "/\0", "\\evil"])
    assert.equal(httpsAddress("ours.example", target, 443, ANY), undefined, JSON.stringify(target));
});

test("with a list of origins, only its names, numbers and localhost have one", () => {
  const origins = ["https://prices.example.com", "https://desk.example.com:8443"];
  assert.ok(httpsAddress("prices.example.com", "/", 443, origins));
  assert.ok(httpsAddress("desk.example.com:80", "/", 8443, origins));
  assert.ok(httpsAddress("192.0.2.1", "/", 443, origins));
  assert.ok(httpsAddress("localhost", "/", 443, origins));
  for (const host of ["evil.example", "desk.example.com", "xprices.example.com", "prices.example.com.evil.example"])
    assert.equal(httpsAddress(host, "/", 443, origins), undefined, host);
});
