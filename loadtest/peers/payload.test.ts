import assert from "node:assert/strict";
import { test } from "node:test";
import { unpack } from "msgpackr";
import { arrayTick, jsonTick, msgpackTick } from "./payload.ts";
import { readTicks, TickWriter } from "./redis_ticks.ts";

const VALUES = Float64Array.of(3.77, 0.3, 3.78, 0.2, Number.NaN, 0.2, 3.77, 3.78, 3.76, 99_077);
const TICK = [7, 300, 1_795_263_307_002_937, 3.77, 0.3, 3.78, 0.2, null, 0.2, 3.77, 3.78, 3.76, 99_077];

test("a tick is the same in every form", () => {
  assert.deepEqual(arrayTick(7, 300, 1_795_263_307_002_937, VALUES), TICK);
  assert.deepEqual(JSON.parse(jsonTick(7, 300, 1_795_263_307_002_937, VALUES)), TICK);
  assert.deepEqual(unpack(msgpackTick(7, 300, 1_795_263_307_002_937, VALUES)), TICK);
});

test("a MessagePack tick's bytes are not those of the next one", () => {
  const first = msgpackTick(1, 1, 1, VALUES);
  msgpackTick(2, 2, 2, VALUES);
  assert.deepEqual((unpack(first) as number[]).slice(0, 3), [1, 1, 1]);
});

test("the ticks of a step are one message, and the next step starts empty", () => {
  const writer = new TickWriter();
  writer.add("SIM:S0007", msgpackTick(7, 300, 1, VALUES));
  writer.add("X", Buffer.alloc(0));
  const message = writer.take();
  const read: [string, string][] = [];
  readTicks(message, (symbol, payload) => read.push([symbol, payload.toString("hex")]));
  assert.deepEqual(read, [
    ["SIM:S0007", msgpackTick(7, 300, 1, VALUES).toString("hex")],
    ["X", ""],
  ]);
  assert.equal(writer.take().length, 0);
});
