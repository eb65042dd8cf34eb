/** docs/asyncapi.yaml: it is valid AsyncAPI 3, and agrees with the code. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import specifications from "@asyncapi/specs";
import { encode } from "@msgpack/msgpack";
import { Ajv, type AnySchema } from "ajv";
import formats from "ajv-formats";
import fc from "fast-check";
import { FIELDS, isPattern, isSymbol, STATES } from "../src/base/tick.ts";
import { CLOSE_CODES, ERROR_CODES } from "../src/protocol/codes.ts";
import { isFault, readCommand } from "../src/protocol/command.ts";
import {
  CHANNELS,
  DEFAULT_RESOLUTION,
  MAX_CONTROL_BYTES,
  MAX_FRAME_BYTES,
  MAX_ID_LENGTH,
  MAX_INTERVAL,
  MAX_LAST_BARS,
  MAX_LAST_TRADES,
  PROTOCOL_VERSION,
  RESOLUTIONS,
  SUBPROTOCOLS,
} from "../src/protocol/messages.ts";
import { SETTINGS } from "../src/settings/settings.ts";
import { document, faults, nameOf, type Schema } from "./support/asyncapi_document.ts";

const { schemas, messages } = document.components;
const { stream } = document.channels;
const PROTOCOL_PAGE = readFileSync(new URL("../docs/protocol.md", import.meta.url), "utf8");
const COMMANDS = ["subscribe", "unsubscribe", "ping", "auth"];

test("it is valid by the schema of AsyncAPI 3.0.0", () => {
  const ajv = new Ajv({ strict: false });
  formats.default(ajv);
  const validate = ajv.compile(specifications.schemasWithoutId["3.0.0"] as AnySchema);
  assert.ok(validate(document), ajv.errorsText(validate.errors));
  assert.ok(!validate({ ...document, channels: { stream: { ...stream, adress: "/" } } }), "and others are not");
});

test("every reference has a target", () => {
  const follow = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    const { $ref } = value as { $ref?: string };
    if ($ref !== undefined) {
      const steps = $ref.replace("#/", "").split("/");
      const found = steps.reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], document);
      assert.ok(found !== undefined, $ref);
    }
    for (const part of Object.values(value)) follow(part);
  };
  follow(document);
});

test("every message is one of the channel's, has its schema, and is sent or received by an operation", () => {
  const names = Object.keys(messages);
  assert.deepEqual(Object.keys(stream.messages).toSorted(), names.toSorted());
  const [sent, received] = [new Set<string>(), new Set<string>()];
  for (const { action, messages, reply } of Object.values(document.operations)) {
    for (const message of messages) (action === "send" ? sent : received).add(nameOf(message));
    for (const message of reply?.messages ?? []) sent.add(nameOf(message));
  }
  assert.deepEqual([...received].toSorted(), COMMANDS.toSorted());
  assert.deepEqual([...sent].toSorted(), names.filter((name) => !COMMANDS.includes(name)).toSorted());
  for (const [name, message] of Object.entries(messages)) {
    assert.equal(message.name, name);
    assert.equal(nameOf(message.payload), name);
    assert.ok(message.examples.length > 0, name);
    for (const { payload } of message.examples) assert.equal(faults(name, payload), "");
  }
});

/** The interfaces of messages.ts that have an op: their members, and which of them are optional. */
function membersInCode(): Map<string, { all: string[]; required: string[] }> {
  const source = readFileSync(new URL("../src/protocol/messages.ts", import.meta.url), "utf8");
  const found = new Map<string, { all: string[]; required: string[] }>();
  for (const [, body] of source.matchAll(/export interface \w+ \{\n([^}]*?(?:\{[^}]*\}[^}]*?)*)\n\}/g)) {
    const op = /^ {2}op: "(\w+)";$/m.exec(body)?.[1];
    if (!op) continue;
    const members = [...body.matchAll(/^ {2}(\w+)(\??):/gm)];
    const required = members.filter(([, , optional]) => optional === "").map(([, name]) => name);
    const all = members.map(([, name]) => name);
    // An op may have several forms: what all of them have is required.
    const other = found.get(op);
    found.set(op, {
      all: [...new Set([...(other?.all ?? []), ...all])],
      required: required.filter((name) => !other || other.required.includes(name)),
    });
  }
  return found;
}

test("every op of the code is in the document with the same members, and the reverse", () => {
  const inCode = membersInCode();
  assert.deepEqual([...inCode.keys(), "frame"].toSorted(), Object.keys(messages).toSorted());
  for (const [op, { all, required }] of inCode) {
    const { properties = {}, required: needed = [] } = schemas[op];
    assert.deepEqual(Object.keys(properties).toSorted(), all.toSorted(), op);
    assert.deepEqual([...needed].toSorted(), required.toSorted(), op);
    assert.equal(properties.op.const, op);
  }
});

const constants = ({ oneOf = [] }: Schema) => oneOf.map((entry) => entry.const);

test("its codes, fields, states, limits and subprotocols are those of the code", () => {
  assert.deepEqual(
    schemas.errorCode.oneOf?.map((entry) => [entry.const, { retryable: entry["x-retryable"] }]),
    Object.entries(ERROR_CODES),
  );
  assert.deepEqual(
    schemas.closeCode.oneOf?.map((entry) => ({ code: entry.const, comeBack: entry["x-come-back"] })),
    Object.values(CLOSE_CODES),
  );
  assert.deepEqual((schemas.fields.items as Schema).enum, FIELDS);
  assert.deepEqual(constants(schemas.status.properties?.state as Schema).toSorted(), [...STATES, "gap"].toSorted());
  assert.deepEqual(schemas.resolution.enum, RESOLUTIONS);
  assert.deepEqual(schemas.wantedResolution.enum, [...RESOLUTIONS, null]);
  assert.equal(schemas.wantedResolution.default, DEFAULT_RESOLUTION);
  assert.deepEqual(schemas.wantedChannel.enum, [...CHANNELS, null]);
  assert.equal(schemas.subscribe.properties?.last.maximum, MAX_LAST_BARS);
  assert.equal(schemas.subscribe.properties?.interval.maximum, MAX_INTERVAL);
  for (const name of ["id", "commandId"]) assert.equal(schemas[name].maxLength, MAX_ID_LENGTH);
  for (const bytes of [MAX_CONTROL_BYTES, MAX_FRAME_BYTES])
    for (const page of [document.info.description, PROTOCOL_PAGE])
      assert.ok(page.includes(`${bytes.toLocaleString("en")}`), `${bytes} bytes`);
  assert.equal(schemas.subscribe.properties?.interval.default, SETTINGS.interval.default);
  assert.equal(schemas.hello.properties?.protocol.const, PROTOCOL_VERSION);
  assert.deepEqual(Object.keys(stream["x-subprotocols"]), SUBPROTOCOLS);
  assert.deepEqual(stream.bindings.ws.headers.properties?.["Sec-WebSocket-Protocol"].enum, SUBPROTOCOLS);
});

test("symbols and patterns are those of the code", () => {
  const text = fc.oneof(
    fc.string({ unit: fc.constantFrom(..."AZ09._-:*az/=^&+@!$~# é") }),
    fc.stringMatching(/^[\w.:/=^&+@!$~-]{60,66}\*?$/),
  );
  fc.assert(
    fc.property(text, (name) => {
      assert.equal(faults("symbol", name) === "", isSymbol(name));
      assert.equal(faults("wanted", [name]) === "", isSymbol(name) || isPattern(name));
    }),
    { numRuns: 1_000 },
  );
});

test("the gateway accepts every command that the document allows", () => {
  const id = fc.oneof(fc.string(), fc.integer(), fc.double(), fc.constant(null));
  const symbol = fc.oneof({ weight: 9, arbitrary: fc.constantFrom("A", "V:A-B", "V:*", "*") }, fc.string());
  const almost = fc.record(
    {
      op: fc.constantFrom(...COMMANDS, "hello", "buy"),
      id,
      symbols: fc.oneof({ weight: 9, arbitrary: fc.array(symbol, { maxLength: 4 }) }, fc.jsonValue()),
      interval: fc.oneof(fc.double(), fc.integer({ min: -10, max: MAX_INTERVAL + 10 }), fc.constant(null)),
      fields: fc.oneof(fc.array(fc.constantFrom(...FIELDS, "price"), { maxLength: 4 }), fc.constant(null)),
      channel: fc.constantFrom(...CHANNELS, "news", null),
      resolution: fc.constantFrom(...RESOLUTIONS, "2m", null),
      last: fc.constantFrom(0, MAX_LAST_TRADES, MAX_LAST_TRADES + 1, MAX_LAST_BARS, MAX_LAST_BARS + 1, 0.5, null),
    },
    { requiredKeys: ["op", "symbols"] },
  );
  let allowed = 0;
  fc.assert(
    fc.property(almost, (command) => {
      if (command.op !== "subscribe") for (const name of ["interval", "fields", "last"] as const) delete command[name];
      const isAllowed = COMMANDS.includes(command.op) && faults(command.op, command) === "";
      if (!isAllowed) return;
      allowed++;
      for (const read of [readCommand(encode(command), false), readCommand(Buffer.from(JSON.stringify(command)), true)])
        assert.ok(!isFault(read), JSON.stringify([command, read]));
    }),
    { numRuns: 5_000 },
  );
  assert.ok(allowed > 500, `only ${allowed} were allowed`);
});
