import assert from "node:assert/strict";
import { test } from "node:test";
import { boolean, choice, decimal, integer, list, network, text, url } from "./option.ts";

test("a whole number is one in its range, however it is signed, and nothing else", () => {
  const kind = integer(-5, 100, "ms");
  assert.equal(kind.range, "a whole number from -5 to 100 (ms)");
  for (const [given, value] of [
    ["0", 0],
    ["-5", -5],
    ["+7", 7],
    [" 100 ", 100],
  ] as const)
    assert.equal(kind.read(given), value);
  for (const given of ["", " ", "101", "-6", "1.5", "1e2", "0x10", "7ms", "NaN", "9".repeat(16)])
    assert.equal(kind.read(given), undefined, given);
});

test("a number may have a fraction, and must be one", () => {
  const kind = decimal(0, 1);
  assert.equal(kind.read("0.25"), 0.25);
  for (const given of ["", " ", "1.01", "-0.1", "x", "Infinity", "NaN"])
    assert.equal(kind.read(given), undefined, given);
});

test("a choice takes its words as they are written", () => {
  const kind = choice("auto", "json");
  assert.equal(kind.read("json"), "json");
  assert.equal(kind.read("JSON"), undefined);
  assert.equal(kind.range, "one of auto, json");
});

test("a switch knows the usual words, and none that objects have by nature", () => {
  const kind = boolean();
  for (const yes of ["true", "yes", "1"]) assert.equal(kind.read(yes), true);
  for (const no of ["false", "no", "0"]) assert.equal(kind.read(no), false);
  for (const other of ["", "maybe", "constructor", "__proto__"]) assert.equal(kind.read(other), undefined, other);
});

test("an address must have one of the schemes; empty only where it may be", () => {
  const kind = url(["ws", "wss"]);
  assert.equal(kind.read("wss://example.com/stream"), "wss://example.com/stream");
  for (const given of ["", "http://example.com", "ws:/x", "ws://", "example.com"])
    assert.equal(kind.read(given), undefined, given);
  assert.equal(url(["ws"], true).read(""), "");
});

test("a network is an address, or one with as many bits as there are", () => {
  const kind = network();
  for (const right of ["127.0.0.1", "10.0.0.0/8", "0.0.0.0/0", "::1", "2001:db8::/128"])
    assert.equal(kind.read(right), right, right);
  for (const wrong of ["", "localhost", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0/8", "1.2.3.4/8/8"])
    assert.equal(kind.read(wrong), undefined, wrong);
});

test("a list is split at its separator, without empty entries, and is refused whole for one that is wrong", () => {
  const kind = list(text("NAME", "letters", /^[a-z]+$/), /[\s,]+/);
  assert.deepEqual(kind.read(" a, b\tc,"), ["a", "b", "c"]);
  assert.deepEqual(kind.read(""), []);
  assert.equal(kind.read("a B"), undefined);
});
