import assert from "node:assert/strict";
import { test } from "node:test";
import { createTarget, type Target } from "../src/msgpack/msgpack.ts";
import { clientFrame, FrameReader } from "./frame_reader.ts";

function serverFrame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  let head = Buffer.from([0x80 | opcode, length]);
  if (length >= 126 && length <= 0xffff) head = Buffer.from([0x80 | opcode, 126, length >> 8, length & 0xff]);
  else if (length > 0xffff) {
    head = Buffer.alloc(10);
    head[0] = 0x80 | opcode;
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, payload]);
}

function target(bytes: Uint8Array): Target {
  const made = createTarget(bytes.length);
  made.bytes.set(bytes);
  return made;
}

const FRAMES: readonly [opcode: number, payload: Buffer][] = [
  [2, Buffer.alloc(0)],
  [9, Buffer.from([1, 2, 3, 4])],
  [2, Buffer.alloc(125, 1)],
  [2, Buffer.alloc(126, 2)],
  [2, Buffer.alloc(65_535, 3)],
  [2, Buffer.alloc(65_536, 4)],
  [1, Buffer.from("end")],
];

for (const step of [1, 2, 3, 7, 127, 1_000, 65_537, 1_000_000])
  test(`frames are complete when ${step} bytes arrive at a time`, () => {
    const seen: [number, Buffer][] = [];
    const reader = new FrameReader({
      frame: (opcode, { bytes }, start, end) => void seen.push([opcode, Buffer.from(bytes.subarray(start, end))]),
    });
    const stream = target(Buffer.concat(FRAMES.map(([opcode, payload]) => serverFrame(opcode, payload))));
    for (let at = 0; at < stream.bytes.length; at += step)
      reader.read(stream, at, Math.min(stream.bytes.length, at + step));
    assert.deepEqual(seen, FRAMES);
  });

test("a frame that is too long is refused before its bytes are stored", () => {
  const reader = new FrameReader({ frame: () => assert.fail("there is no whole frame") });
  assert.throws(() => reader.read(target(Buffer.from([0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0])), 0, 10), /a frame of/);
});

test("fragments are reported as such; masked and compressed frames are refused", () => {
  const finals: boolean[] = [];
  const reader = new FrameReader({ frame: (_opcode, _target, _start, _end, isFinal) => void finals.push(isFinal) });
  reader.read(target(Buffer.from([0x02, 1, 7, 0x80, 1, 8])), 0, 6);
  assert.deepEqual(finals, [false, true]);
  for (const wrong of [
    [0x82, 0x81, 0, 0, 0, 0, 7],
    [0xc2, 1, 7],
  ])
    assert.throws(() => reader.read(target(Buffer.from(wrong)), 0, wrong.length), /masked, or of an extension/);
});

test("a client's frame is masked with zeros", () => {
  assert.deepEqual(clientFrame(10, Buffer.from([7])), Buffer.from([0x8a, 0x81, 0, 0, 0, 0, 7]));
  assert.deepEqual(clientFrame(2, Buffer.alloc(200)).subarray(0, 4), Buffer.from([0x82, 0xfe, 0, 200]));
});
