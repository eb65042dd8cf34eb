import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "@msgpack/msgpack";
import { type ClientReceiver, SessionBench, type WireTick } from "../../../test/support/session_bench.ts";
import type { Control } from "../../protocol/messages.ts";
import type { Settings } from "../../settings/settings.ts";

class Heard implements ClientReceiver {
  readonly controls: Control[] = [];
  readonly ticks: WireTick[] = [];

  control(message: Control): void {
    this.controls.push(message);
  }

  frame(_sentAt: number, ticks: WireTick[]): void {
    this.ticks.push(...ticks);
  }

  of<O extends Control["op"]>(op: O): Extract<Control, { op: O }>[] {
    return this.controls.filter((message): message is Extract<Control, { op: O }> => message.op === op);
  }
}

function open(own: Partial<Settings> = {}) {
  const heard = new Heard();
  const bench = new SessionBench("tickgate.v1.json", heard, own);
  bench.session.open();
  return { bench, heard };
}

function tick(bench: SessionBench, symbol: string, seq: number): void {
  bench.record(symbol, { epoch: 1, seq });
}

test("hello comes first, and says what the limits are", () => {
  const { bench, heard } = open();
  assert.deepEqual(heard.controls, [
    {
      op: "hello",
      protocol: 1,
      session: "session",
      node: bench.context.settings.node,
      time: bench.clock.micros(),
      heartbeat: 15_000,
      channels: ["quote", "book", "trade", "bar"],
      auth: "none",
      limits: { symbols: 20_000, commandsPerSecond: 100, messageBytes: 32_768 },
    },
  ]);
});

for (const subprotocol of ["tickgate.v1.json", "tickgate.v1.msgpack"] as const)
  test(`${subprotocol}: no control message is larger than 16 KiB, and its parts are one answer`, () => {
    const heard = new Heard();
    const bench = new SessionBench(subprotocol, heard, {
      maxSymbolsPerConnection: 3_000,
      maxMessageBytes: 1_048_576,
    });
    const sizes: number[] = [];
    const send = bench.socket.send.bind(bench.socket);
    bench.socket.send = (message, isBinary) => {
      const value: unknown = isBinary ? decode(message as Uint8Array) : JSON.parse(Buffer.from(message).toString());
      if (!Array.isArray(value)) sizes.push(Buffer.byteLength(message));
      return send(message, isBinary);
    };
    const long = "X".repeat(56);
    for (let index = 0; index < 5_000; index++) tick(bench, `V:${long}${10_000 + index}`, 1);
    const id = "\u0001".repeat(64);
    const wrong = Array.from({ length: 300 }, (_, index) => `\u0002${String.fromCharCode(index)}`.repeat(40));
    bench.send({ op: "subscribe", id, symbols: ["V:*", ...wrong], fields: ["bid"] });
    bench.advance(1_000);
    const granted = heard.of("subscribed");
    assert.equal(new Set(granted.flatMap(({ symbols }) => symbols).map(([symbol]) => symbol)).size, 3_000);
    const rejected = granted.flatMap((part) => part.rejected);
    assert.equal(rejected.length, 301, "each once, and the pattern for which there is no room");
    assert.ok(granted.every((part) => part.id === id && part.fields.length === 1));
    assert.deepEqual(
      granted.map(({ more }) => more),
      [...granted.slice(1).map(() => true as const), undefined],
    );
    for (let index = 0; index < 3_000; index++)
      bench.record(`V:${long}${10_000 + index}`, { epoch: 1, seq: 1, state: 1, reason: "\u0003".repeat(255) });
    bench.advance(1_000);
    assert.equal(heard.of("status").flatMap(({ symbols }) => symbols).length, 3_000);
    bench.send({ op: "unsubscribe", id, symbols: ["*"] });
    bench.advance(1_000);
    const ended = heard.of("unsubscribed");
    assert.equal(new Set(ended.flatMap(({ symbols }) => symbols)).size, 3_000);
    assert.equal(ended.at(-1)?.more, undefined);
    assert.ok(ended.slice(0, -1).every((part) => part.more && part.id === id));
    assert.ok(Math.max(...sizes) <= 16_384, `${Math.max(...sizes)} bytes`);
  });

test("an id is at most 64 characters: each answer repeats it", () => {
  const { bench, heard } = open();
  bench.send({ op: "ping", id: "x".repeat(64) });
  bench.send({ op: "ping", id: "x".repeat(65) });
  assert.equal(heard.of("pong").length, 1);
  assert.equal(heard.of("error")[0].code, "bad_message");
});

test("what was sent while the gateway stood still closes nobody", () => {
  const { bench, heard } = open();
  bench.advance(1_000);
  // Ten seconds' worth of a client that keeps to its rate, all at once.
  bench.clock.advance(10_000);
  for (let count = 0; count < 900; count++) bench.send({ op: "ping" });
  assert.equal(heard.of("pong").length, 900);
  for (let count = 0; count < 2_000; count++) bench.send({ op: "ping" });
  assert.equal(bench.closeCode, 4429, "more than that is too many");
});

test("a client that does not read is not answered until it does", () => {
  const { bench, heard } = open();
  bench.socket.buffered = 1;
  for (let count = 0; count < 50; count++) bench.send({ op: "ping" });
  assert.equal(heard.of("pong").length, 0);
  bench.socket.buffered = 0;
  bench.session.handleDrain();
  bench.advance(5);
  assert.equal(heard.of("pong").length, 50);
});

test("a symbol that nobody publishes is granted, stale and unknown, until its first tick", () => {
  const { bench, heard } = open();
  bench.send({ op: "subscribe", symbols: ["A"] });
  bench.advance(5);
  const { since, ...status } = heard.of("status")[0];
  assert.deepEqual(status, { op: "status", symbols: ["A"], state: "stale", reason: "unknown" });
  assert.equal(since, bench.clock.micros() - 5_000);
  heard.controls.length = 0;
  tick(bench, "A", 1);
  bench.advance(300);
  assert.deepEqual(
    heard.of("status").map(({ state }) => state),
    ["live"],
  );
  assert.equal(heard.ticks.length, 1);
});

test("a heartbeat comes when there was nothing else to say, and not otherwise", () => {
  const { bench, heard } = open({ heartbeat: 1_000 });
  bench.advance(5_000);
  assert.ok(heard.of("heartbeat").length >= 4 && heard.of("heartbeat").length <= 5);
  const before = heard.of("heartbeat").length;
  bench.send({ op: "subscribe", symbols: ["A"], interval: 0 });
  for (let seq = 1; seq < 20; seq++) {
    tick(bench, "A", seq);
    bench.advance(500);
  }
  assert.equal(heard.of("heartbeat").length, before);
});

test("a client that answers no ping for three heartbeats is closed, one that does is not", () => {
  const { bench } = open({ heartbeat: 1_000 });
  bench.advance(20_000);
  assert.equal(bench.closeCode, undefined);
  bench.isAnswering = false;
  bench.advance(2_900);
  assert.equal(bench.closeCode, undefined);
  bench.advance(1_500);
  assert.equal(bench.closeCode, 4408);
  bench.advance(5_000);
});

test("with a full window a symbol that is unsubscribed before it was met does not come", () => {
  const { bench, heard } = open();
  bench.send({ op: "subscribe", symbols: ["V:*"] });
  bench.outbound.narrow = 0;
  tick(bench, "V:A", 1);
  bench.send({ op: "unsubscribe", symbols: ["V:A"] });
  bench.outbound.narrow = 65_536;
  bench.advance(1_000);
  tick(bench, "V:A", 2);
  bench.advance(1_000);
  assert.deepEqual(heard.of("unsubscribed")[0].symbols, ["V:A"]);
  assert.deepEqual(heard.ticks, []);
});

test("with a full window a new pattern does not hide what an older one still has to meet", () => {
  const { bench, heard } = open();
  bench.send({ op: "subscribe", symbols: ["V:*"] });
  bench.outbound.narrow = 0;
  tick(bench, "V:A", 1);
  bench.send({ op: "subscribe", symbols: ["W:*"] });
  bench.outbound.narrow = 65_536;
  bench.advance(1_000);
  assert.equal(heard.ticks.length, 1);
});

test("interval 0: what an unsubscribe leaves of a pass that was cut short is still sent", () => {
  for (const gone of [["A"], ["A", "B"], ["B"], ["C"]]) {
    const { bench, heard } = open();
    const symbols = ["A", "B", "C", "D"];
    for (const symbol of symbols) tick(bench, symbol, 1);
    bench.send({ op: "subscribe", symbols, interval: 0 });
    bench.advance(10);
    for (const symbol of symbols) tick(bench, symbol, 2);
    // One tick is sent, then the way is full.
    bench.outbound.narrow = 1;
    bench.context.scheduler.run();
    bench.outbound.narrow = 0;
    bench.context.scheduler.run();
    bench.send({ op: "unsubscribe", symbols: gone });
    bench.outbound.narrow = 65_536;
    bench.advance(1_000);
    const [granted] = heard.of("subscribed");
    const handles = new Map(granted.symbols);
    for (const symbol of symbols.filter((name) => !gone.includes(name)))
      assert.ok(
        heard.ticks.some(([handle, seq]) => handle === handles.get(symbol) && seq === 2),
        `${symbol} without ${gone}`,
      );
  }
});

test("a connection that lets too much pile up is closed, in the middle of whatever it asked for", () => {
  const commands = [
    { op: "ping" },
    { op: "subscribe", symbols: ["V:*", "W:1"] },
    { op: "subscribe", symbols: ["W:1"] },
    { op: "unsubscribe", symbols: ["W:1"] },
  ];
  for (const command of commands) {
    // A little more in the way each time, so that each of a command's messages is the last drop once.
    for (let padding = 0; padding < 120; padding += 10) {
      const { bench } = open({ maxUnreadBytes: 65_536, commandsPerSecond: 100_000 });
      bench.isAnswering = false;
      // In two halves: an id has 64 characters at most.
      for (let half = 0; half < 2; half++) bench.send({ op: "ping", id: "x".repeat(padding / 2) });
      bench.send({ op: "subscribe", symbols: ["V:*"] });
      for (let round = 0; round < 1_000 && bench.closeCode === undefined; round++) {
        tick(bench, `V:${round}`, 1);
        bench.send(command);
      }
      assert.equal(bench.closeCode, 4408);
      assert.equal(bench.context.counts.subscriptions, 0);
      assert.equal(bench.context.table.awaitedRows, 0);
      assert.equal(bench.bus.followed.size, 0);
      bench.send(command);
      bench.advance(300);
    }
  }
});

test("one slow answer is no quality to speak of; a reader too slow is told, and told when all is well", () => {
  const { bench, heard } = open();
  tick(bench, "A", 1);
  bench.send({ op: "subscribe", symbols: ["A"], interval: 100 });
  bench.advance(500);
  bench.outbound.narrow = 0;
  for (let seq = 2; seq < 12; seq++) {
    tick(bench, "A", seq);
    bench.advance(100);
  }
  const [conflating] = heard.of("quality");
  assert.equal(conflating.state, "conflating");
  assert.equal(conflating.reason, "client");
  assert.ok(conflating.interval > 100 && conflating.interval < 1_500, `${conflating.interval} ms`);
  bench.outbound.narrow = 65_536;
  bench.advance(4_000);
  assert.deepEqual(heard.of("quality").at(-1), {
    op: "quality",
    state: "realtime",
    interval: 100,
    reason: "client",
  });
});

test("a snapshot that has to wait is not told as an age since the process began", () => {
  const { bench, heard } = open();
  bench.advance(100_000);
  tick(bench, "A", 1);
  bench.outbound.narrow = 0;
  bench.send({ op: "subscribe", symbols: ["A"], interval: 100 });
  bench.advance(1_000);
  for (const { interval } of heard.of("quality")) assert.ok(interval < 1_500, `${interval} ms`);
});

test("subscribing again before a change of state was told does not lose it", () => {
  const { bench, heard } = open();
  bench.record("A", { epoch: 1, seq: 5, state: 1, reason: "lost" });
  bench.send({ op: "subscribe", symbols: ["A"], interval: 100 });
  bench.advance(500);
  bench.record("A", { epoch: 2, seq: 1, healed: true });
  bench.send({ op: "subscribe", symbols: ["A"], interval: 200 });
  const told = heard.of("status").map(({ state, reason }) => `${state} ${reason ?? ""}`.trim());
  assert.deepEqual(told, ["stale lost", "gap reset", "live"]);
});

test("quiet symbols that come and go at interval 0 leave nothing behind", () => {
  const { bench, heard } = open({ commandsPerSecond: 100_000 });
  for (const symbol of ["A", "B"]) tick(bench, symbol, 1);
  bench.send({ op: "subscribe", symbols: ["B"], interval: 0 });
  for (let round = 0; round < 50; round++) {
    bench.send({ op: "subscribe", symbols: ["A"], interval: 0 });
    bench.advance(10);
    bench.send({ op: "unsubscribe", symbols: ["A"] });
  }
  bench.send({ op: "subscribe", symbols: ["A"], interval: 0 });
  bench.advance(10);
  const before = heard.ticks.length;
  tick(bench, "A", 2);
  bench.context.scheduler.run();
  assert.equal(heard.ticks.length, before + 1, "its tick comes in the next slice");
});

/** A client at interval 0 that listens to the broadcast, and has had one tick by it. */
function listening(own: Partial<Settings> = {}) {
  const opened = open(own);
  const { bench } = opened;
  for (const symbol of ["A", "B"]) tick(bench, symbol, 1);
  bench.send({ op: "subscribe", symbols: ["A", "B"], interval: 0 });
  bench.advance(1_000);
  tick(bench, "A", 2);
  bench.advance(10);
  assert.equal(bench.socket.topics.size, 2);
  return opened;
}

test("a client that has had all is told each tick when it comes, without waiting for a turn", () => {
  const { bench, heard } = listening();
  const before = heard.ticks.length;
  for (let seq = 3; seq < 100; seq++) {
    tick(bench, "A", seq);
    assert.equal(heard.ticks.length, before + seq - 2);
    assert.equal(heard.ticks.at(-1)?.[1], seq);
  }
  assert.equal(bench.context.counts.ticksBroadcast, 98);
  bench.advance(250);
  assert.equal(bench.outbound.ticks, 98);
  // The feed left out two.
  tick(bench, "A", 102);
  bench.advance(250);
  assert.equal(bench.outbound.conflated, 2);
  assert.equal(bench.context.counts.conflatedBy.feed, 2);
});

test("how a symbol stands is told before its tick, and the broadcast goes on after that", () => {
  const { bench, heard } = listening();
  const told: string[] = [];
  heard.control = (message) => message.op === "status" && told.push(`${message.symbols} ${message.state}`);
  heard.frame = (_sentAt, ticks) => told.push(...ticks.map(([, seq]) => String(seq)));
  bench.record("A", { epoch: 1, seq: 2, state: 1, reason: "lost" });
  tick(bench, "B", 2);
  tick(bench, "A", 3);
  bench.record("A", { epoch: 1, seq: 7, healed: true });
  bench.advance(25);
  // What came at once is told at once: the state that holds now, then the latest ticks.
  assert.deepEqual(told, ["A gap", "A live", "7", "2"]);
  bench.advance(500);
  tick(bench, "A", 8);
  assert.deepEqual(told.slice(4), ["8"]);
});

test("who is owed something when the broadcast opens hears it, and gets the rest in a turn; nothing comes twice", () => {
  const { bench, heard } = listening();
  const { clock, context } = bench;
  const { scheduler: pacer, topics: immediate, counts } = context;
  bench.record("A", { epoch: 1, seq: 2, state: 1, reason: "lost" });
  tick(bench, "A", 3);
  assert.ok(!immediate.gate.isOpen);
  bench.advance(50);
  // No turn comes before the broadcast opens.
  clock.advance(300);
  pacer.ranAt = clock.millis();
  tick(bench, "A", 4);
  tick(bench, "B", 2);
  const before = heard.ticks.length;
  const conflated = counts.ticksConflated;
  immediate.tryOpen(clock.millis());
  assert.ok(immediate.gate.isOpen);
  tick(bench, "A", 5);
  assert.deepEqual(
    heard.ticks.slice(before).map(([, seq]) => seq),
    [5],
  );
  assert.equal(counts.ticksConflated - conflated, 1, "the fourth was replaced");
  bench.advance(20);
  assert.deepEqual(
    heard.ticks.slice(before).map(([, seq]) => seq),
    [5, 2],
  );
  tick(bench, "B", 3);
  assert.deepEqual(
    heard.ticks.slice(before).map(([, seq]) => seq),
    [5, 2, 3],
  );
  bench.advance(500);
  assert.equal(heard.ticks.length, before + 3);
  assert.equal(bench.outbound.conflated, counts.ticksConflated);
});

test("who has not been told how a symbol stands when the broadcast opens does not hear it before that", () => {
  const { bench, heard } = listening();
  const { clock, context } = bench;
  bench.record("A", { epoch: 1, seq: 2, state: 1, reason: "lost" });
  tick(bench, "B", 2);
  context.topics.tryOpen(clock.millis());
  // Nobody gets a turn for a while.
  clock.advance(300);
  context.scheduler.ranAt = clock.millis();
  context.topics.tryOpen(clock.millis());
  assert.ok(context.topics.gate.isOpen);
  const before = heard.ticks.length;
  tick(bench, "B", 3);
  assert.equal(heard.ticks.length, before);
  bench.advance(25);
  assert.deepEqual(heard.of("status").at(-1)?.state, "stale");
  assert.equal(heard.ticks.at(-1)?.[1], 3);
});

test("a client that stops reading is not broadcast to beyond its window, and has the latest when it reads again", () => {
  const { bench, heard } = listening();
  bench.isAnswering = false;
  const { size } = bench.outbound.window;
  let bytes = 0;
  heard.frame = (_sentAt, ticks) => {
    heard.ticks.push(...ticks);
    bytes += JSON.stringify(ticks).length;
  };
  for (let seq = 3; seq < 5_000; seq++) {
    tick(bench, "A", seq);
    if (seq % 10 === 0) bench.advance(5);
  }
  assert.ok(bytes > size / 4 && bytes <= size, `${bytes} bytes with a window of ${size}`);
  assert.equal(bench.socket.topics.size, 0);
  bench.isAnswering = true;
  bench.advance(50);
  assert.equal(heard.ticks.at(-1)?.[1], 4_999);
  bench.advance(4_000);
  tick(bench, "A", 5_000);
  bench.advance(10);
  assert.equal(bench.socket.topics.size, 2, "it listens again");
});

test("the broadcast is for screens: neither for more symbols than the setting has it, nor for longer intervals", () => {
  const { bench, heard } = open({ broadcastSymbols: 2 });
  const symbols = ["A", "B", "C"];
  const topicsWith = (command: object) => {
    bench.send({ op: "unsubscribe", symbols: ["*"] });
    bench.send({ op: "subscribe", ...command });
    bench.advance(1_500);
    const seq = (heard.ticks.at(-1)?.[1] ?? 0) + 1;
    for (const symbol of symbols) tick(bench, symbol, seq);
    bench.advance(250);
    return bench.socket.topics.size;
  };
  assert.equal(topicsWith({ symbols, interval: 0 }), 0);
  assert.equal(topicsWith({ symbols: ["A", "B"], interval: 10 }), 0);
  assert.equal(topicsWith({ symbols: ["A", "B"], interval: 0 }), 2);
  bench.send({ op: "unsubscribe", symbols: ["A"] });
  assert.equal(bench.socket.topics.size, 0);
  assert.equal(topicsWith({ symbols: ["B"], interval: 0 }), 1);
});

for (const interval of [7, 20, 100])
  test(`between two frames that tell when they were sent is an interval of ${interval} ms, however long turns take`, (t) => {
    const sent: number[] = [];
    const hearer: ClientReceiver = { control: () => {}, frame: (sentAt) => sent.push(sentAt) };
    const bench = new SessionBench("tickgate.v1.msgpack", hearer);
    bench.record("A", { epoch: 1, seq: 1 });
    bench.send({ op: "subscribe", symbols: ["A"], interval });
    // The time goes on with each look at it, by 0 to 3 ms.
    const { clock } = bench;
    const { micros, millis } = { micros: clock.micros.bind(clock), millis: clock.millis.bind(clock) };
    let looks = 0;
    const pass = () => clock.advance(((looks++ * 7) % 13) / 4);
    t.mock.method(clock, "millis", () => {
      pass();
      return millis();
    });
    t.mock.method(clock, "micros", () => {
      pass();
      return micros();
    });
    for (let seq = 2; seq < 300; seq++) {
      bench.record("A", { epoch: 1, seq });
      bench.advance(5);
    }
    assert.ok(sent.length > 10);
    for (let index = 1; index < sent.length; index++)
      assert.ok(sent[index] - sent[index - 1] >= interval * 1_000, `after ${sent[index] - sent[index - 1]} µs`);
  });
