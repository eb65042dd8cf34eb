import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { ERROR_CODES } from "./codes.ts";
import { isFault, readCommand, shown } from "./command.ts";

const json = (value: unknown) => readCommand(Buffer.from(JSON.stringify(value)), true);
const msgpack = (value: unknown) => readCommand(encode(value), false);

test("commands are read alike in both forms", () => {
  const commands = [
    { op: "ping" },
    { op: "ping", id: "a" },
    { op: "ping", id: 0 },
    { op: "ping", id: -1.5 },
    { op: "subscribe", symbols: [] },
    { op: "subscribe", id: 7, symbols: ["A", "B*"], interval: 0, fields: ["last", "bid"] },
    { op: "subscribe", symbols: ["A"], interval: 3_600_000 },
    { op: "unsubscribe", id: "x".repeat(64), symbols: ["*"] },
  ];
  for (const command of commands) {
    assert.deepEqual(json(command), command);
    assert.deepEqual(msgpack(command), command);
  }
});

test("what is not asked for is left out", () => {
  const command = { op: "subscribe", symbols: ["A"], more: { deep: [1] } };
  for (const read of [json, msgpack]) assert.deepEqual(read(command), { op: "subscribe", symbols: ["A"] });
});

for (const key of ["id", "interval", "fields"])
  test(`${key} may be null, which is the same as to leave it out`, () => {
    const commands = [{ op: "ping" }, { op: "subscribe", symbols: ["A"] }, { op: "unsubscribe", symbols: ["A"] }];
    for (const read of [json, msgpack])
      for (const command of commands) assert.deepEqual(read({ ...command, [key]: null }), command);
  });

for (const key of ["op", "symbols"])
  test(`${key} may not be null`, () => {
    for (const read of [json, msgpack]) {
      const result = read({ op: "subscribe", symbols: ["A"], id: 1, [key]: null });
      assert.ok(isFault(result) && result.fault === "bad_message" && result.id === 1);
    }
  });

test("every malformed shape has its error, and keeps the id where there is one", () => {
  const shapes: [unknown, string][] = [
    [null, "bad_message"],
    [1, "bad_message"],
    ["ping", "bad_message"],
    [[], "bad_message"],
    [["ping"], "bad_message"],
    [{}, "bad_message"],
    [{ op: 1 }, "bad_message"],
    [{ op: ["ping"] }, "bad_message"],
    [{ op: "" }, "unknown_op"],
    [{ op: "constructor" }, "unknown_op"],
    [{ op: "__proto__" }, "unknown_op"],
    [{ op: "Subscribe", symbols: ["A"] }, "unknown_op"],
    [{ op: "subscribe" }, "bad_message"],
    [{ op: "subscribe", symbols: null }, "bad_message"],
    [{ op: "subscribe", symbols: "A" }, "bad_message"],
    [{ op: "subscribe", symbols: { 0: "A", length: 1 } }, "bad_message"],
    [{ op: "subscribe", symbols: [1] }, "bad_message"],
    [{ op: "subscribe", symbols: ["A", null] }, "bad_message"],
    [{ op: "subscribe", symbols: ["A"], interval: "1" }, "bad_message"],
    [{ op: "subscribe", symbols: ["A"], interval: true }, "bad_message"],
    [{ op: "subscribe", symbols: ["A"], interval: -1 }, "invalid_interval"],
    [{ op: "subscribe", symbols: ["A"], interval: 3_600_001 }, "invalid_interval"],
    [{ op: "subscribe", symbols: ["A"], fields: [] }, "bad_message"],
    [{ op: "subscribe", symbols: ["A"], fields: "bid" }, "bad_message"],
    [{ op: "subscribe", symbols: ["A"], fields: [1] }, "bad_message"],
    [{ op: "subscribe", symbols: ["A"], fields: ["bid", "bid"] }, "bad_message"],
    [{ op: "subscribe", symbols: ["A"], fields: ["bid", "price"] }, "unknown_field"],
    [{ op: "subscribe", symbols: ["A"], fields: ["__proto__"] }, "unknown_field"],
    [{ op: "unsubscribe" }, "bad_message"],
    [{ op: "unsubscribe", symbols: "*" }, "bad_message"],
  ];
  for (const [shape, code] of shapes) {
    for (const read of [json, msgpack]) {
      const result = read(shape);
      assert.ok(isFault(result), JSON.stringify(shape));
      assert.equal(result.fault, code, JSON.stringify(shape));
      assert.ok(result.message.length > 0 && result.message.length < 300);
      if (typeof shape !== "object" || shape === null || Array.isArray(shape)) continue;
      const named = read({ ...shape, id: "mine" });
      assert.ok(isFault(named) && named.id === "mine", JSON.stringify(shape));
    }
  }
});

test("an id is a text of at most 64 characters or a finite number", () => {
  for (const id of ["", "x".repeat(64), "😀".repeat(64), 0, -1.5]) {
    for (const read of [json, msgpack]) assert.deepEqual(read({ op: "ping", id }), { op: "ping", id });
  }
  for (const id of [true, [], {}, "x".repeat(65), "😀".repeat(65), "x".repeat(30_000)]) {
    for (const read of [json, msgpack]) {
      const result = read({ op: "ping", id });
      assert.ok(isFault(result) && result.fault === "bad_message" && result.id === undefined);
    }
  }
  for (const id of [Number.NaN, Number.POSITIVE_INFINITY]) assert.ok(isFault(msgpack({ op: "ping", id })));
  for (const interval of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const result = msgpack({ op: "subscribe", symbols: ["A"], interval });
    assert.ok(isFault(result) && result.fault === "invalid_interval");
  }
});

test("a number beyond 2^53 as id comes back as the nearest double, never as a BigInt", () => {
  const result = readCommand(encode({ op: "ping", id: 18_446_744_073_709_551_615n }, { useBigInt64: true }), false);
  assert.deepEqual(result, { op: "ping", id: 2 ** 64 });
});

test("__proto__ in a command changes nothing", () => {
  const text = '{"__proto__":{"op":"ping","symbols":["A"]},"op":"subscribe","symbols":["B"]}';
  assert.deepEqual(readCommand(Buffer.from(text), true), { op: "subscribe", symbols: ["B"] });
  const only = readCommand(Buffer.from('{"__proto__":{"op":"ping"}}'), true);
  assert.ok(isFault(only) && only.fault === "bad_message");
  assert.equal(Object.hasOwn(Object.prototype, "op"), false);
});

test("deep nesting is a bad message, not a stack overflow", () => {
  for (const depth of [100, 30_000, 1_000_000]) {
    const text = `{"op":"ping","x":${"[".repeat(depth)}${"]".repeat(depth)}}`;
    const result = readCommand(Buffer.from(text), true);
    assert.ok(!isFault(result) || result.fault === "bad_message");
    assert.ok(isFault(readCommand(Buffer.from("[".repeat(depth)), true)));
    assert.ok(isFault(readCommand(new Uint8Array(depth).fill(0x91), false)));
    assert.ok(isFault(readCommand(new Uint8Array(depth).fill(0x81), false)));
  }
});

test("text that is not UTF-8 is a bad message", () => {
  const result = readCommand(
    Buffer.concat([Buffer.from('{"op":"ping","id":"'), Buffer.of(0xff), Buffer.from('"}')]),
    true,
  );
  assert.ok(isFault(result) && result.fault === "bad_message");
});

test("anything at all is a command or a fault with a known code", () => {
  const check = (bytes: Uint8Array, isJson: boolean) => {
    const result = readCommand(bytes, isJson);
    if (isFault(result)) assert.ok(Object.hasOwn(ERROR_CODES, result.fault));
    else assert.ok(["ping", "subscribe", "unsubscribe"].includes(result.op));
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, isJson) => check(bytes, isJson)),
    { numRuns: 2_000 },
  );
  const almost = fc.record(
    {
      op: fc.oneof(fc.constantFrom("subscribe", "unsubscribe", "ping"), fc.jsonValue()),
      id: fc.jsonValue(),
      symbols: fc.oneof(fc.array(fc.string()), fc.jsonValue()),
      interval: fc.oneof(fc.double(), fc.jsonValue()),
      fields: fc.oneof(fc.array(fc.constantFrom("bid", "ask", "x")), fc.jsonValue()),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(almost, (value) => {
      check(Buffer.from(JSON.stringify(value)), true);
      check(encode(value), false);
    }),
    { numRuns: 1_000 },
  );
});

test("what is shown back is quoted and short", () => {
  assert.equal(shown("a\nb"), '"a\\nb"');
  assert.ok(shown("x".repeat(10_000)).length < 80);
});

test("bars have a resolution and a number of past ones", () => {
  const bars = { op: "subscribe", channel: "bar", symbols: ["A"] };
  for (const read of [json, msgpack]) {
    assert.deepEqual(read(bars), { ...bars, resolution: "1m" });
    assert.deepEqual(read({ ...bars, resolution: null, last: null }), { ...bars, resolution: "1m" });
    assert.deepEqual(read({ op: "unsubscribe", channel: "bar", symbols: ["A"] }), {
      op: "unsubscribe",
      channel: "bar",
      resolution: "1m",
      symbols: ["A"],
    });
    for (const resolution of ["1s", "1m", "5m", "15m", "1h", "1d"])
      for (const last of [0, 1, 5_000])
        assert.deepEqual(read({ ...bars, resolution, last }), { ...bars, resolution, last });
  }
});

test("a wrong resolution or number of past bars is named", () => {
  const faultOf = (command: Record<string, unknown>) => {
    const faults = [json, msgpack].map((read) => {
      const result = read({ op: "subscribe", channel: "bar", symbols: ["A"], id: 3, ...command });
      return isFault(result) ? `${result.fault} ${result.id}` : "none";
    });
    assert.equal(faults[0], faults[1]);
    return faults[0];
  };
  for (const resolution of ["", "1", "1M", "60", "2m", "1m ", "toString", "__proto__", 60, true, ["1m"], { a: 1 }])
    for (const op of ["subscribe", "unsubscribe"])
      assert.equal(faultOf({ op, resolution }), "invalid_resolution 3", JSON.stringify(resolution));
  for (const last of [-1, 5_001, 0.5, 1e300, "1", true, [1]])
    assert.equal(faultOf({ last }), "invalid_last 3", JSON.stringify(last));
  assert.equal(faultOf({ channel: "trade", last: 1_001 }), "invalid_last 3");
  // Of other channels they mean nothing.
  assert.equal(faultOf({ channel: "quote", resolution: "2m", last: -1 }), "none");
  assert.equal(faultOf({ channel: "trade", resolution: "2m" }), "none");
});
