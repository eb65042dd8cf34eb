import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hostNameOf, isNumberOrLocal } from "./host_header.ts";

test("a name is what is left of a host without port, brackets and upper case", () => {
  const forms: [string, string | undefined][] = [
    ["Prices.Example:8080", "prices.example"],
    ["localhost", "localhost"],
    ["127.0.0.1:80", "127.0.0.1"],
    ["[::1]:8080", "::1"],
    ["[2001:DB8::9]", "2001:db8::9"],
    ["under_score-1.example", "under_score-1.example"],
    ["", undefined],
    ["::1", undefined],
    ["[::1", undefined],
    ["[nonsense]", undefined],
    ["[127.0.0.1]", undefined],
    ["a b", undefined],
    ["a, b", undefined],
    ["user@127.0.0.1", undefined],
    ["127.0.0.1:80:80", undefined],
    ["127.0.0.1:", undefined],
    ["evil.example/127.0.0.1", undefined],
  ];
  for (const [host, name] of forms) assert.equal(hostNameOf(host), name, host);
});

test("numbers and localhost are nobody's to give away, names that look alike are not among them", () => {
  for (const host of ["127.0.0.1", "10.1.2.3:9090", "[::1]:9090", "LOCALHOST:9090"])
    assert.ok(isNumberOrLocal(host), host);
  for (const host of ["127.0.0.1.evil.example", "localhost.evil.example", "evil.example", "", "0x7f.1", "[::1].evil"])
    assert.ok(!isNumberOrLocal(host), host);
});

test("no header makes it throw, and each address and port is read", () => {
  fc.assert(fc.property(fc.string(), (host) => void isNumberOrLocal(host)));
  const port = fc.option(fc.integer({ min: 0, max: 65_535 }));
  fc.assert(fc.property(fc.ipV4(), port, (ip, at) => isNumberOrLocal(at === null ? ip : `${ip}:${at}`)));
  fc.assert(fc.property(fc.ipV6(), port, (ip, at) => isNumberOrLocal(at === null ? `[${ip}]` : `[${ip}]:${at}`)));
  fc.assert(fc.property(fc.domain(), port, (name, at) => !isNumberOrLocal(at === null ? name : `${name}:${at}`)));
});
