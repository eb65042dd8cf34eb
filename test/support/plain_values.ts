/** Values that every MessagePack reader must read: plain values, and numbers of every size. */
import assert from "node:assert/strict";
import { encode } from "@msgpack/msgpack";
import fc from "fast-check";

/** Plain values up to the allowed depth; numbers as doubles, where -0 and 0 are the same. */
const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }).map((value) => (value === 0 ? 0 : value)),
    fc.string({ unit: "binary", maxLength: 400 }),
    fc.array(tie("value"), { maxLength: 40 }),
    fc.dictionary(fc.string({ maxLength: 20 }), tie("value"), { maxKeys: 20 }),
  ),
})).value;

/** Asserts that it reads the output of another codec. */
export function assertReads(read: (bytes: Uint8Array) => unknown): void {
  fc.assert(
    fc.property(plain, (value) => {
      assert.deepEqual(JSON.stringify(read(encode(value))), JSON.stringify(value));
    }),
    {
      numRuns: 300,
      examples: [[{ ["__proto__"]: { op: "ping" } }], [new Array(70_000).fill(1)], ["x".repeat(70_000)]],
    },
  );
}

/** Numbers on either side of every size, of both signs. */
export function* numbersOfEverySize(): Iterable<number> {
  for (const power of [7, 8, 15, 16, 31, 32, 52, 53, 63])
    for (const near of [-1, 0, 1]) for (const sign of [1, -1]) yield sign * (2 ** power + near);
}
