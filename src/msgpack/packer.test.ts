import assert from "node:assert/strict";
import { test } from "node:test";
import { createTarget, writeNumber } from "./msgpack.ts";
import { Packer } from "./packer.ts";

/** Numbers, and their bytes on the bus and in frames to clients. */
const BYTES: readonly (readonly [value: number, bus: string, frame: string])[] = [
  [0, "00", "00"],
  [-0, "cb8000000000000000", "00"],
  [127, "7f", "7f"],
  [128, "cd0080", "cc80"],
  [255, "cd00ff", "ccff"],
  [256, "cd0100", "cd0100"],
  [65_535, "cdffff", "cdffff"],
  [65_536, "ce00010000", "ce00010000"],
  [4_294_967_295, "ceffffffff", "ceffffffff"],
  [4_294_967_296, "cb41f0000000000000", "cb41f0000000000000"],
  [1.5, "cb3ff8000000000000", "cb3ff8000000000000"],
  [200.5, "cb4069100000000000", "cb4069100000000000"],
  [-1, "cbbff0000000000000", "cbbff0000000000000"],
  [Number.NaN, "c0", "c0"],
  [Number.POSITIVE_INFINITY, "cb7ff0000000000000", "c0"],
  [Number.NEGATIVE_INFINITY, "cbfff0000000000000", "c0"],
];

test("every kind of number has the same bytes in every release", () => {
  for (const [value, bus, frame] of BYTES) {
    const packer = new Packer(9);
    packer.number(value);
    assert.equal(packer.bytes.toString("hex", 0, packer.position), bus, `${value} on the bus`);
    const { bytes, view } = createTarget(9);
    assert.equal(bytes.toString("hex", 0, writeNumber(view, 0, value)), frame, `${value} in a frame`);
  }
});
