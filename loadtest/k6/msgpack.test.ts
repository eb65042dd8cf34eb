import assert from "node:assert/strict";
import { test } from "node:test";
import { pack, unpack } from "msgpackr";
import { isControl, packCommand, readControl, readFrame, tickCount } from "./msgpack.ts";

const SENT_AT = 1_700_000_000_000_500;

function packed(value: unknown): ArrayBuffer {
  return Uint8Array.from(pack(value)).buffer;
}

for (const count of [0, 1, 14, 15, 16, 300])
  test(`a data frame of ${count} ticks is read without its values`, () => {
    const values = [null, 0, 1.5, 127, 128, 65_535, 65_536, 4_294_967_295, -1, -200];
    const ticks = Array.from({ length: count }, (_, tick) => [tick * 100, 70_000 + tick, SENT_AT - tick]);
    const message = packed([SENT_AT, ...ticks.map((tick) => [...tick, ...values])]);
    const frame = readFrame(message);
    assert.equal(tickCount(new Uint8Array(message)), count);
    assert.deepEqual(frame, {
      sentAt: SENT_AT,
      ticks: ticks.flatMap((tick) => [...tick, values.length]),
      streamTicks: [],
    });
  });

test("trades and books are read with their values, among quotes", () => {
  const message = packed([
    SENT_AT,
    [1, 7, SENT_AT, 5, 6],
    [3, 8, SENT_AT, 1.5, 2, -1, "id"],
    [4, 9, SENT_AT, [1, 2], []],
  ]);
  const trade = { handle: 3, seq: 8, eventTime: SENT_AT, values: [1.5, 2, -1, "id"] };
  const book = { handle: 4, seq: 9, eventTime: SENT_AT, values: [[1, 2], []] };
  const handles = new Map([
    [3, 0],
    [4, 0],
  ]);
  assert.deepEqual(readFrame(message, handles), {
    sentAt: SENT_AT,
    ticks: [1, 7, SENT_AT, 2],
    streamTicks: [trade, book],
  });
  assert.throws(() => readFrame(message));
});

test("other messages than data frames are refused", () => {
  const frames = [
    "text",
    { op: "hello" },
    [SENT_AT, 1],
    [SENT_AT, [1, 2]],
    [SENT_AT, [1, 2, null]],
    [SENT_AT, [1, 2, 3, "x"]],
  ];
  for (const message of frames) assert.throws(() => readFrame(packed(message)), Error, JSON.stringify(message));
  const whole = new Uint8Array(packed([SENT_AT, [1, 2, SENT_AT]]));
  assert.throws(() => readFrame(whole.slice(0, -1).buffer));
  assert.throws(() => readFrame(Uint8Array.from([...whole, 0]).buffer));
});

test("control messages are read as they were written", () => {
  const symbols = Array.from({ length: 300 }, (_, handle) => [`SIM:S${handle}`, handle]);
  const numbers = [0, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 40, 1.5, -1, -33, -200, -40_000];
  const message = { op: "subscribed", text: "x".repeat(300), symbols, numbers, yes: true, no: false, none: null };
  assert.deepEqual(readControl(packed(message)), message);
  assert.equal(isControl(new Uint8Array(packed(message))[0]), true);
  assert.equal(isControl(new Uint8Array(packed([SENT_AT]))[0]), false);
  assert.throws(() => readControl(packed([1])), /not a map/);
});

test("commands are valid MessagePack", () => {
  const command = { op: "subscribe", symbols: ["SIM:S0000", "SIM:S0001"], interval: 100 };
  assert.deepEqual(unpack(new Uint8Array(packCommand(command))), command);
  const tooMany = Array.from({ length: 5_000 }, () => "SIM:S0000");
  assert.throws(() => packCommand({ op: "subscribe", symbols: tooMany }), /a command of/);
});
