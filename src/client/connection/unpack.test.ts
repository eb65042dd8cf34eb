import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "@msgpack/msgpack";
import { assertReads, numbersOfEverySize } from "../../../test/support/plain_values.ts";
import { decodePlain } from "../../msgpack/decode.ts";
import { type Packable, pack } from "./pack.ts";
import { unpacker } from "./unpack.ts";

function unpack(bytes: Uint8Array): unknown {
  const { value, end } = unpacker(new Uint8Array(bytes).buffer);
  const read = value();
  end();
  return read;
}

test("reads what another codec wrote", () => {
  assertReads(unpack);
});

test("reads every size of number", () => {
  for (const value of numbersOfEverySize()) {
    assert.equal(unpack(encode(value)), value);
  }
  assert.equal(unpack(Uint8Array.of(0xcf, 255, 255, 255, 255, 255, 255, 255, 255)), 2 ** 64);
  assert.equal(unpack(Uint8Array.of(0xd3, 255, 255, 255, 255, 255, 255, 255, 255)), -1);
  assert.equal(unpack(Uint8Array.of(0xca, 0x3f, 0x80, 0, 0)), 1);
});

test("rejects truncated data, lengths beyond the end, trailing bytes, and other types", () => {
  const whole = encode({ op: "status", symbols: ["A", "B"], since: 1_000.5 });
  for (let length = 0; length < whole.length; length++)
    assert.throws(() => unpack(whole.subarray(0, length)), `cut at ${length}`);
  const refused: Record<string, number[]> = {
    "bytes behind": [0x01, 0x01],
    "array of 2^32": [0xdd, 255, 255, 255, 255],
    "map of 2^32": [0xdf, 255, 255, 255, 255],
    "text of 2^32": [0xdb, 255, 255, 255, 255],
    "never used": [0xc1],
    binary: [0xc4, 1, 0],
    extension: [0xd4, 1, 0],
    timestamp: [0xd6, 0xff, 0, 0, 0, 0],
    "long extension": [0xc7, 1, 0, 0],
    "not UTF-8": [0xa2, 0xc3, 0x28],
    "half a surrogate pair": [0xa3, 0xed, 0xa0, 0x80],
    "a map as key": [0x81, 0x80, 0x01],
    "a number as key": [0x81, 0x01, 0x01],
    "nested too deeply": new Array(32_768).fill(0x91),
  };
  for (const [what, bytes] of Object.entries(refused)) assert.throws(() => unpack(Uint8Array.from(bytes)), Error, what);
  for (const bytes of [[0x80], [0x01], [0xde, 0, 0], []])
    assert.throws(() => unpacker(Uint8Array.from(bytes).buffer).array());
});

test("allocates no memory for a length without elements", () => {
  const bytes = new Uint8Array(32_768);
  for (let at = 0; at + 3 <= bytes.length; at += 3) bytes.set([0xdc, 0x3f, 0xff], at);
  const before = process.memoryUsage().rss;
  for (let round = 0; round < 100; round++) assert.throws(() => unpack(bytes));
  assert.ok(process.memoryUsage().rss - before < 50_000_000);
});

test("what is packed is what a gateway reads", () => {
  const values: Packable[] = [
    { op: "subscribe", id: 7, symbols: ["A", "B*"], interval: 0.5, fields: ["bid"] },
    { op: "unsubscribe", symbols: [] },
    ["x".repeat(64), -1, 3_600_000, 2 ** 53],
    { symbols: Array.from({ length: 5_000 }, (_, index) => `V:${index}`) },
  ];
  for (const value of values) assert.deepEqual(JSON.parse(JSON.stringify(decodePlain(pack(value)))), value);
});
