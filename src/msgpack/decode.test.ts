import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { assertReads, numbersOfEverySize } from "../../test/support/plain_values.ts";
import { DecodeError, decodePlain } from "./decode.ts";

test("reads what another codec wrote", () => {
  assertReads(decodePlain);
});

test("reads every size of number", () => {
  for (const value of numbersOfEverySize()) {
    assert.equal(decodePlain(encode(value)), value);
  }
  assert.equal(decodePlain(Uint8Array.of(0xcf, 255, 255, 255, 255, 255, 255, 255, 255)), 2 ** 64);
  assert.equal(decodePlain(Uint8Array.of(0xd3, 128, 0, 0, 0, 0, 0, 0, 0)), -(2 ** 63));
  assert.equal(decodePlain(Uint8Array.of(0xca, 0x3f, 0x80, 0, 0)), 1);
});

test("refuses what is cut short, claims more than there is, goes on, or is not plain", () => {
  const whole = encode({ op: "subscribe", symbols: ["A", "B"], interval: 1_000.5 });
  for (let length = 0; length < whole.length; length++)
    assert.throws(() => decodePlain(whole.subarray(0, length)), DecodeError, `cut at ${length}`);
  const refused: Record<string, number[]> = {
    "bytes behind": [0x01, 0x01],
    "array of 2^32": [0xdd, 255, 255, 255, 255],
    "map of 2^32": [0xdf, 255, 255, 255, 255],
    "text of 2^32": [0xdb, 255, 255, 255, 255],
    "never used": [0xc1],
    binary: [0xc4, 1, 0],
    extension: [0xd4, 1, 0],
    timestamp: [0xd6, 0xff, 0, 0, 0, 0],
    "not UTF-8": [0xa2, 0xc3, 0x28],
    "half a surrogate pair": [0xa3, 0xed, 0xa0, 0x80],
    "a map as key": [0x81, 0x80, 0x01],
    "nested too deeply": new Array(32_768).fill(0x91),
  };
  for (const [what, bytes] of Object.entries(refused))
    assert.throws(() => decodePlain(Uint8Array.from(bytes)), DecodeError, what);
});

test("makes no room for what is only claimed", () => {
  const bytes = new Uint8Array(32_768);
  for (let at = 0; at + 3 <= bytes.length; at += 3) bytes.set([0xdc, 0x3f, 0xff], at);
  const before = process.memoryUsage().rss;
  for (let round = 0; round < 100; round++) assert.throws(() => decodePlain(bytes), DecodeError);
  assert.ok(process.memoryUsage().rss - before < 50_000_000);
});

test("arbitrary bytes are read or refused, nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      try {
        decodePlain(bytes);
      } catch (error) {
        assert.ok(error instanceof DecodeError);
      }
    }),
    { numRuns: 2_000 },
  );
});
