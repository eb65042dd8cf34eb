import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { pack } from "msgpackr";
import { FIELDS } from "../../base/tick.ts";
import { PublisherTable } from "../../market/publisher_table.ts";
import { QUOTE_JSON, QUOTE_MSGPACK } from "../../market/quote/quote_format.ts";
import { createTarget } from "../../msgpack/msgpack.ts";
import { readCommand } from "../../protocol/command.ts";
import { decodeControl, encodeCommand, isFrame, readFrame } from "./codec.ts";

const FIELD_POSITIONS = Uint8Array.from(FIELDS.keys());

function arrayBuffer(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

/** A message of any kind as values. */
function decodeMessage(data: unknown): unknown {
  if (!isFrame(data)) return decodeControl(data);
  const frame: unknown[] = [];
  readFrame(data, {
    begin: (sentAt) => frame.push(sentAt),
    tick: (handle, seq, eventTime, values) => frame.push([handle, seq, eventTime, ...values]),
  });
  return frame;
}

test("frames decode to what the gateway's encoder wrote, in both forms", () => {
  // The floats of JSON and MessagePack are doubles: every one must be read exactly; in JSON -0 is 0.
  const value = fc.oneof(
    fc.double({ noDefaultInfinity: true, noNaN: true }).filter((number) => !Object.is(number, -0)),
    fc.integer({ min: -300, max: 5_000_000_000 }),
    fc.constant(null),
  );
  const tick = fc.array(value, { minLength: FIELDS.length, maxLength: FIELDS.length });
  fc.assert(
    fc.property(fc.array(tick, { minLength: 1, maxLength: 40 }), (ticks) => {
      const table = new PublisherTable(100);
      const expected: unknown[] = [1_700_000_000_000_001];
      for (const [index, values] of ticks.entries()) {
        const row = table.add(`S${index}`);
        table.merge(row, Object.fromEntries(FIELDS.map((field, at) => [field, values[at]])), 1_700_000_000_123_456);
        expected.push([row, 1, 1_700_000_000_123_456, ...values]);
      }
      for (const format of [QUOTE_MSGPACK, QUOTE_JSON]) {
        const target = createTarget(65_536);
        let end = format.headBytes;
        for (let row = 0; row < ticks.length; row++) end = format.writeTick(target, end, table, row, FIELD_POSITIONS);
        const start = format.finish(target, 0, end, ticks.length, 1_700_000_000_000_001);
        const bytes = target.bytes.subarray(start, end + format.tailBytes);
        const data = format.binary ? arrayBuffer(bytes) : Buffer.from(bytes).toString();
        assert.deepEqual(decodeMessage(data), expected);
      }
    }),
  );
});

test("commands are what the gateway reads, in both forms", () => {
  const command = { op: "subscribe" as const, symbols: ["A", "B*"], interval: 0, fields: ["bid"] };
  for (const json of [true, false]) {
    const bytes = encodeCommand(command, json);
    assert.deepEqual(readCommand(typeof bytes === "string" ? Buffer.from(bytes) : bytes, json), command);
  }
});

test("a message that has not its shape is refused, one of an unknown op is nothing", () => {
  const wrong: unknown[] = [
    null,
    5,
    "text",
    {},
    { op: 1 },
    [],
    ["now"],
    [1, 2],
    [1, [1, 2]],
    { op: "hello", protocol: 1 },
    { op: "subscribed", interval: 1, fields: ["bid"], symbols: [["A"]], rejected: [] },
    { op: "subscribed", interval: 1, fields: ["bid"], symbols: [], rejected: [1] },
    { op: "status", symbols: "A", state: "live", since: 1 },
    { op: "bye", code: 1012, reason: "x" },
  ];
  for (const value of wrong) {
    assert.throws(() => decodeMessage(JSON.stringify(value)), JSON.stringify(value));
    assert.throws(() => decodeMessage(arrayBuffer(pack(value))), JSON.stringify(value));
  }
  assert.throws(() => decodeMessage("{"), Error);
  assert.throws(() => decodeMessage(arrayBuffer(Uint8Array.of(0x93, 1))), Error);
  assert.throws(() => decodeMessage(undefined), Error);
  assert.equal(decodeMessage('{"op":"constructor"}'), undefined);
});

test("no bytes make the decoder do anything but decode or refuse", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        decodeMessage(arrayBuffer(bytes));
      } catch (error) {
        assert.ok(error instanceof Error);
      }
    }),
    { numRuns: 2_000 },
  );
});
