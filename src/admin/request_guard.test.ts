import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isCrossSite, isOwnHost } from "./request_guard.ts";

test("a host is ours when it is a number, localhost or listed", () => {
  for (const host of ["127.0.0.1:9090", "[::1]", "localhost", "GATEWAY1:9090", undefined])
    assert.ok(isOwnHost(host, ["gateway1"]), host);
  for (const host of ["", "gateway2", "gateway1.evil.example", "gateway1 ", "gateway1:9090:1", "gateway1,127.0.0.1"])
    assert.ok(!isOwnHost(host, ["gateway1"]), host);
});

test("no header makes it throw, and a name that is not listed is never ours", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.domain()), (host) => {
      const isOwn = isOwnHost(host, []);
      if (isOwn) assert.match(host, /^(localhost|[\d.]+|\[[\da-f:.]+\])(:\d+)?$/i);
    }),
  );
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), (origin, site, type) => {
      isCrossSite({ host: "127.0.0.1:9090", origin, "sec-fetch-site": site, "content-type": type });
    }),
  );
});

test("no origin but that of the port itself may change anything", () => {
  const host = "127.0.0.1:9090";
  assert.ok(!isCrossSite({ host }));
  assert.ok(!isCrossSite({ host, origin: `http://${host}`, "sec-fetch-site": "same-origin" }));
  fc.assert(fc.property(fc.webUrl(), (url) => isCrossSite({ host, origin: new URL(url).origin })));
});
