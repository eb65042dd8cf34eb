import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import wabt from "wabt";
import { Heap, HeapFull } from "./heap.ts";

test("changed.wasm is changed.wat, compiled", async () => {
  const text = readFileSync(new URL("changed.wat", import.meta.url), "utf8");
  const { buffer } = (await wabt()).parseWat("changed.wat", text, { simd: true }).toBinary({});
  assert.ok(readFileSync(new URL("changed.wasm", import.meta.url)).equals(buffer), "npm run build:wasm");
});

test("blocks are zero, apart from each other, and keep what is in them while the heap grows", () => {
  const act = fc.oneof(
    fc.record({ alloc: fc.integer({ min: 1, max: 300_000 }) }),
    fc.record({ free: fc.nat() }),
    fc.record({ resize: fc.nat(), to: fc.integer({ min: 1, max: 300_000 }) }),
  );
  fc.assert(
    fc.property(fc.array(act, { maxLength: 30 }), (acts) => {
      const heap = new Heap();
      const blocks: { address: number; bytes: number; mark: number }[] = [];
      let mark = 0;
      const fill = (block: { address: number; bytes: number; mark: number }) =>
        heap.bytes.fill(block.mark, block.address, block.address + block.bytes);
      for (const step of acts) {
        if ("alloc" in step) {
          mark = (mark % 250) + 1;
          const block = { address: heap.alloc(step.alloc), bytes: step.alloc, mark };
          assert.equal(block.address % 64, 0);
          assert.ok(block.address > 0);
          const bytes = heap.bytes.subarray(block.address, block.address + block.bytes);
          assert.ok(
            bytes.every((byte) => byte === 0),
            "what was in it before is gone",
          );
          fill(block);
          blocks.push(block);
        } else if (blocks.length > 0 && "free" in step) {
          const [{ address, bytes }] = blocks.splice(step.free % blocks.length, 1);
          heap.free(address, bytes);
        } else if (blocks.length > 0 && "resize" in step) {
          const block = blocks[step.resize % blocks.length];
          const kept = Math.min(block.bytes, step.to);
          block.address = heap.resize(block.address, block.bytes, step.to);
          block.bytes = step.to;
          const bytes = heap.bytes.subarray(block.address, block.address + kept);
          assert.ok(bytes.every((byte) => byte === block.mark));
          fill(block);
        }
      }
      for (const { address, bytes, mark } of blocks)
        assert.ok(heap.bytes.subarray(address, address + bytes).every((byte) => byte === mark));
    }),
    { numRuns: 100 },
  );
});

test("whoever holds arrays is told when they are replaced", () => {
  const heap = new Heap();
  let told = 0;
  heap.onGrow(() => told++);
  const before = heap.f64;
  heap.alloc(heap.size);
  assert.equal(told, 1);
  assert.notEqual(heap.f64, before);
  assert.equal(before.length, 0, "the old ones are dead");
});

test("memory that is given back is used again", () => {
  const heap = new Heap();
  for (let round = 0; round < 10_000; round++) heap.free(heap.alloc(50_000), 50_000);
  assert.equal(heap.size, new Heap().size);
});

test("more than there is cannot be had, and what is there stays", () => {
  const heap = new Heap();
  const block = heap.alloc(100);
  heap.bytes.fill(7, block, block + 100);
  assert.throws(() => heap.alloc(2 ** 33), HeapFull);
  assert.throws(() => heap.resize(block, 100, 2 ** 33), HeapFull);
  assert.equal(heap.bytes[block + 99], 7);
});
