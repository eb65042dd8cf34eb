import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { checkHandshake, chooseSubprotocol, offeredSubprotocols } from "./handshake.ts";

const GOOD = {
  upgrade: "websocket",
  connection: "Upgrade",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

function check(changed: Record<string, string | undefined>) {
  const headers = Object.entries({ ...GOOD, ...changed }).filter((entry): entry is [string, string] => !!entry[1]);
  return checkHandshake(new Map(headers));
}

test("a handshake as the standard has it passes, with what browsers and balancers make of it", () => {
  for (const good of [
    {},
    { upgrade: "WebSocket" },
    { upgrade: "h2c, websocket" },
    { connection: "keep-alive, Upgrade" },
    { connection: "upgrade" },
    { "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==" },
  ])
    assert.equal(check(good), undefined, JSON.stringify(good));
});

test("one without an upgrade, of another version or with another key is refused", () => {
  const bad: [Record<string, string | undefined>, string][] = [
    [{ upgrade: undefined }, "426"],
    [{ upgrade: "websockets" }, "426"],
    [{ connection: undefined }, "426"],
    [{ connection: "keep-alive" }, "426"],
    [{ "sec-websocket-version": undefined }, "426"],
    [{ "sec-websocket-version": "8" }, "426"],
    [{ "sec-websocket-version": "13, 13" }, "426"],
    [{ "sec-websocket-key": undefined }, "400"],
    [{ "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ" }, "400"],
    [{ "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZR==" }, "400"],
    [{ "sec-websocket-key": "!GhlIHNhbXBsZSBub25jZQ==" }, "400"],
    [{ "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==" }, "400"],
  ];
  for (const [changed, status] of bad)
    assert.equal(check(changed)?.status.slice(0, 3), status, JSON.stringify(changed));
  assert.equal(check({ "sec-websocket-version": "8" })?.headers["Sec-WebSocket-Version"], "13");
});

test("every key of 16 bytes passes, and no other", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 24 }), (bytes) => {
      const key = Buffer.from(bytes).toString("base64");
      assert.equal(check({ "sec-websocket-key": key }) === undefined, bytes.length === 16, key);
    }),
  );
});

test("the first subprotocol in the client's order is taken, the default when none is offered, and a token is none", () => {
  const choose = (header: string | undefined) => {
    const offered = offeredSubprotocols(new Map(header === undefined ? [] : [["sec-websocket-protocol", header]]));
    return [offered, chooseSubprotocol(offered)];
  };
  assert.deepEqual(choose(undefined), [[], "tickgate.v1.msgpack"]);
  assert.deepEqual(choose("chat, tickgate.v1.json ,tickgate.v1.msgpack")[1], "tickgate.v1.json");
  assert.deepEqual(choose("chat, tickgate.v9.json")[1], undefined);
  assert.deepEqual(choose("bearer.abc.def, tickgate.v1.json"), [["tickgate.v1.json"], "tickgate.v1.json"]);
  assert.deepEqual(choose("bearer.abc.def"), [[], "tickgate.v1.msgpack"]);
  fc.assert(
    fc.property(fc.array(fc.string()), fc.string(), (names, token) => {
      const [offered] = choose([...names, `bearer.${token}`].join(","));
      assert.ok((offered as string[]).every((name) => !name.startsWith("bearer.")));
    }),
  );
});
