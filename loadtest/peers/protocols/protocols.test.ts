/** Each decoder with bytes recorded from its server (versions: docs/comparison.md). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { unpack } from "msgpackr";
import type { ProtocolPlan } from "../../swarm/protocol.ts";
import * as centrifugo from "./centrifugo.ts";
import * as nats from "./nats.ts";
import * as plain from "./plain.ts";
import * as socketio from "./socketio.ts";
import { MARKET, RecordingWire } from "./wire.testing.ts";

const plan = (settings: ProtocolPlan["settings"]): ProtocolPlan => ({
  ...{ market: MARKET, connections: 1, perConnection: MARKET.length, settings },
});
/** The second tick of the second symbol, in MessagePack with its time as a double. */
const TICK =
  "9d0102cb43198321446a9ea8cb3fc978d4fdf3b64601cb3fc982a9930be0df01cb3fc978d4fdf3b64601cb3fc97c1bda5119cecb3fc9f8a0902de00dcb3fc94e3bcd35a858ce00026cd6";
const TICK_TIME = 1795263330690986;

test("plain: the symbols in JSON, a payload a message", () => {
  const wire = new RecordingWire(plain.createProtocol());
  wire.decoder.opened();
  assert.deepEqual(wire.sent, ['["SIM:S0000","SIM:S0001"]']);
  wire.receive(TICK, true);
  assert.deepEqual(wire.ticks, [[1, 2, TICK_TIME]]);
  wire.receive("9d0902cb43198321446a9ea8", true);
  wire.receive("a0", true);
  assert.deepEqual(wire.faults, ["malformed", "malformed"]);
});

test("Socket.IO in JSON: opens, joins, counts events, answers pings", () => {
  const wire = new RecordingWire(socketio.createProtocol(plan({ parser: "json" })));
  wire.decoder.opened();
  wire.receive('0{"sid":"RFHu","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}');
  wire.receive('40{"sid":"o5t2lyk10Kcuv0wxAAAA"}');
  wire.receive('42["tick",[1,3,1795263307549349,0.1991,1,0.1992,1,0.1991,4,0.1991,0.2029,0.1977,158938]]');
  wire.receive("2");
  assert.deepEqual(wire.sent, ["40", '42["subscribe",["SIM:S0000","SIM:S0001"]]', "3"]);
  assert.deepEqual(wire.ticks, [[1, 3, 1795263307549349]]);
  wire.receive('44{"message":"no"}');
  assert.deepEqual(wire.faults, ["unknown packet"]);
});

test("Socket.IO in MessagePack", () => {
  const wire = new RecordingWire(socketio.createProtocol(plan({ parser: "msgpack" })));
  wire.receive('0{"sid":"OPFU","upgrades":[]}');
  wire.receive(
    "83a47479706500a46461746181a3736964b4324d6e6176776c5148435a482d32307441414141a3706964d40000a36e7370a12f",
    true,
  );
  const [connect, subscribe] = wire.sent as Buffer[];
  assert.deepEqual(unpack(connect), { type: 0, nsp: "/" });
  assert.deepEqual(unpack(subscribe), { type: 2, nsp: "/", data: ["subscribe", MARKET] });
  for (let time = 0; time < 2; time++)
    wire.receive(
      "83a47479706502a46461746192a47469636b9d0102cf000660c850069147cb3fc978d4fdf3b64601cb3fc982a9930be0df01cb3fc978d4fdf3b64601cb3fc97c1bda5119cecb3fc9f8a0902de00dcb3fc94e3bcd35a858ce00026cd6a36e7370a12f",
      true,
    );
  assert.deepEqual(wire.ticks, Array(2).fill([1, 2, 1795263312597319]));
  wire.receive("81a47479706504", true);
  assert.deepEqual(wire.faults, ["malformed"]);
});

test("Centrifugo in Protobuf: several replies in a message, its pings, its errors", () => {
  const wire = new RecordingWire(centrifugo.createProtocol(plan({ format: "protobuf" })));
  wire.decoder.opened();
  assert.deepEqual(
    wire.sent.map((sent) => (sent as Buffer).toString("hex")),
    ["0408012200", "0f08022a0b0a0953494d3a53303030300f08032a0b0a0953494d3a5330303031"],
  );
  wire.receive(
    "3508012a310a2463376537306561642d666163322d343733642d626665622d3938646638623261393966641205302e302e3038194001",
    true,
  );
  wire.receive("04080232000408033200", true);
  assert.deepEqual(wire.ticks, []);
  wire.receive(
    "5b2259120953494d3a5330303031224c224a9d0101cb4319832141729758cb3fc97c1bda5119ce01cb3fc97f62b6ae7d5601cb3fc97c1bda5119ce01cb3fc97c1bda5119cecb3fc9f8a0902de00dcb3fc94e3bcd35a858ce00026cd5" +
      "732271120953494d3a5330303030226422629d0001cb4319832141729758cb400e28f5c28f5c29cb3fd3333333333333cb400e3d70a3d70a3dcb3fc999999999999acb400e28f5c28f5c29cb3fc999999999999acb400e28f5c28f5c29cb400e3d70a3d70a3dcb400e147ae147ae14ce00018305",
    true,
  );
  assert.deepEqual(wire.ticks, [
    [1, 1, 1795263318238678],
    [0, 1, 1795263318238678],
  ]);
  wire.receive("00", true);
  assert.deepEqual(wire.sent.at(-1), Buffer.from([0]));
  assert.deepEqual(wire.faults, []);
  // id 2, error { code 103, message "permission denied" }
  wire.receive("17080212130867120f7065726d697373696f6e2064656e69", true);
  assert.deepEqual(wire.faults, ["error"]);
});

test("Centrifugo in JSON", () => {
  const wire = new RecordingWire(centrifugo.createProtocol(plan({ format: "json" })));
  wire.decoder.opened();
  assert.deepEqual(wire.sent, [
    '{"id":1,"connect":{}}',
    '{"id":2,"subscribe":{"channel":"SIM:S0000"}}\n{"id":3,"subscribe":{"channel":"SIM:S0001"}}',
  ]);
  wire.receive('{"id":1,"connect":{"client":"5e3f","version":"0.0.0","ping":25,"pong":true}}');
  wire.receive('{"id":2,"subscribe":{}}\n{"id":3,"subscribe":{}}');
  wire.receive(
    '{"push":{"channel":"SIM:S0000","pub":{"data":[0,1,1795263323595941,3.77,0.3,3.78,0.2,3.77,0.2,3.77,3.78,3.76,99077]}}}\n' +
      '{"push":{"channel":"SIM:S0001","pub":{"data":[1,2,1795263323850107,0.199,1,0.1993,1,0.199,1,0.1991,0.2029,0.1977,158934]}}}',
  );
  assert.deepEqual(wire.ticks, [
    [0, 1, 1795263323595941],
    [1, 2, 1795263323850107],
  ]);
  wire.receive("{}");
  assert.equal(wire.sent.at(-1), "{}");
  assert.deepEqual(wire.faults, []);
  wire.receive('{"id":4,"error":{"code":103,"message":"permission denied"}}');
  wire.receive('{"push":{"channel":"SIM:S0001","pub":{"data":{}}}}');
  assert.deepEqual(wire.faults, ["error", "malformed"]);
});

test("NATS: a stream that is cut anywhere, its pings, its errors", () => {
  const message = `MSG SIM:S0001 1 74\r\n${Buffer.from(TICK, "hex").toString("latin1")}\r\n`;
  const stream = Buffer.from(`INFO {"proto":1} \r\n${message}PING\r\n${message}`, "latin1").toString("hex");
  for (let size = 2; size <= stream.length; size += 2) {
    const wire = new RecordingWire(nats.createProtocol());
    wire.decoder.opened();
    for (let at = 0; at < stream.length; at += size) wire.receive(stream.slice(at, at + size), true);
    assert.deepEqual(wire.ticks, Array(2).fill([1, 2, TICK_TIME]), `in parts of ${size / 2} bytes`);
    assert.equal((wire.sent[0] as Buffer).toString().split("\r\n")[2], "SUB SIM:S0001 1");
    assert.equal(String(wire.sent[1]), "PONG\r\n");
    assert.deepEqual(wire.faults, []);
  }
  const wire = new RecordingWire(nats.createProtocol());
  wire.receive(Buffer.from("-ERR 'Slow Consumer'\r\n").toString("hex"), true);
  assert.deepEqual(wire.faults, ["error"]);
});
