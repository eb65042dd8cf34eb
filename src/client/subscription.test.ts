import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSocket, fakeClient, ManualTime, settled } from "../../test/support/fake_connection.ts";
import { type ClientOptions, type Quote, TickgateClient, type TickgateError } from "./client.ts";

/** A client that is connected to a gateway of the test. */
function open(options: ClientOptions = {}) {
  const parts = fakeClient(options);
  parts.client.connect();
  FakeSocket.last.hello({ heartbeat: 60_000, time: parts.time.micros() });
  parts.events.length = 0;
  return { ...parts, gateway: FakeSocket.last };
}

/** The commands since the last call, without ids. */
async function asked(gateway: FakeSocket): Promise<unknown[]> {
  await settled();
  return gateway.takeCommands().map(({ id, ...command }) => command);
}

const shown = ({ symbol, seq, state, values }: Quote) => `${symbol} ${seq} ${state} [${values}]`;

test("several owners of a symbol share one subscription: the shortest interval, the fields of all", async () => {
  const { client, gateway } = open();
  const slow = client.subscribe("A", { interval: 1_000, fields: ["bid"] });
  assert.deepEqual(await asked(gateway), [{ op: "subscribe", symbols: ["A"], interval: 1_000, fields: ["bid"] }]);
  const quick = client.subscribe(["A", "B"], { interval: 100, fields: ["last", "bid"] });
  assert.deepEqual(await asked(gateway), [
    { op: "subscribe", symbols: ["A", "B"], interval: 100, fields: ["bid", "last"] },
  ]);
  const third = client.subscribe("A", { interval: 100, fields: ["bid"] });
  assert.deepEqual(await asked(gateway), [], "it is asked for so already");
  third.close();
  quick.remove("A");
  quick.add("C");
  assert.deepEqual(await asked(gateway), [
    { op: "subscribe", symbols: ["C"], interval: 100, fields: ["bid", "last"] },
    { op: "subscribe", symbols: ["A"], interval: 1_000, fields: ["bid"] },
  ]);
  slow.change({ interval: 50 });
  assert.deepEqual(await asked(gateway), [{ op: "subscribe", symbols: ["A"], interval: 50, fields: ["bid"] }]);
  slow.change({ fields: undefined });
  assert.deepEqual(await asked(gateway), [{ op: "subscribe", symbols: ["A"], interval: 50 }]);
  slow.close();
  quick.close();
  assert.deepEqual(await asked(gateway), [{ op: "unsubscribe", symbols: ["A", "B", "C"] }]);
});

test("a subscription that is made and closed in one call sends no command", async () => {
  const { client, gateway } = open();
  client.subscribe("A");
  client.subscribe("B").close();
  const screen = client.subscribe("C");
  screen.close();
  client.subscribe("C");
  assert.deepEqual(await asked(gateway), [{ op: "subscribe", symbols: ["A", "C"], interval: 100 }]);
});

test("each owner is called at its own interval, with the latest, and sees its own fields", async () => {
  const { client, gateway, time } = open();
  const quick: string[] = [];
  const slow: string[] = [];
  client.subscribe("A", { interval: 100, fields: ["bid", "ask"] }, (quote) => quick.push(shown(quote)));
  client.subscribe("A", { interval: 250, fields: ["ask"] }, (quote) => slow.push(shown(quote)));
  gateway.grant(["A"], { interval: 100 });
  for (let seq = 1; seq <= 6; seq++) {
    gateway.say([seq * 100_000, [1, seq, 1, seq, seq + 0.5]]);
    time.advance(100);
  }
  assert.deepEqual(
    quick,
    [1, 2, 3, 4, 5, 6].map((seq) => `A ${seq} live [${seq},${seq + 0.5}]`),
  );
  assert.deepEqual(slow, ["A 1 live [1.5]", "A 3 live [3.5]", "A 5 live [5.5]"]);
  time.advance(10_000);
  assert.deepEqual(slow.slice(3), ["A 6 live [6.5]"], "the last is delivered, and once");
  assert.equal(time.timers, 1, "where nothing waits, only the timer for silence of the connection runs");
});

test("a later subscription gets the present quotes, but not within the call of subscribe", async () => {
  const { client, gateway, events } = open();
  client.subscribe("*", { interval: 0 });
  gateway.grant(["A", "B"]);
  gateway.say([1, [1, 1, 1, 10, 11]]);
  await asked(gateway);
  events.length = 0;
  const calls: string[] = [];
  const screen = client.subscribe(["A", "B"], { interval: 0 }, (quote) => calls.push(shown(quote)));
  assert.deepEqual(calls, []);
  assert.equal(screen.quotes.get("A")?.bid, 10);
  await settled();
  assert.deepEqual(calls, ["A 1 live [10,11]"], "of B nothing is known");
  assert.deepEqual(await asked(gateway), []);
});

test("a new state is delivered at once, without waiting for the interval, whether from the gateway or the connection", async () => {
  const { client, gateway, time } = open();
  const calls: string[] = [];
  const statuses: string[] = [];
  client.subscribe(
    ["A", "B"],
    { interval: 1_000, onStatus: (quote, state, reason) => statuses.push(`${quote.symbol} ${state} ${reason}`) },
    (quote) => calls.push(`${quote.symbol} ${quote.state} ${quote.reason}`),
  );
  gateway.grant(["A", "B"], { interval: 1_000 });
  gateway.say([1, [1, 1, 1, 10, 11], [2, 1, 1, 10, 11]]);
  gateway.say({ op: "status", symbols: ["A"], state: "stale", reason: "silent", since: 7 });
  gateway.say({ op: "status", symbols: ["A"], state: "gap", reason: "missed", since: 8 });
  assert.deepEqual(calls.splice(0), ["A live ", "B live ", "A stale silent"]);
  assert.deepEqual(statuses, ["A stale silent", "A gap missed"]);
  const since = time.micros();
  gateway.drop(1006);
  assert.deepEqual(calls.splice(0), ["B stale connection lost (1006)"], "A is stale already");
  assert.deepEqual([client.get("B")?.since, client.get("B")?.bid, client.state], [since, 10, "connecting"]);
});

test("an error thrown by one callback is reported, and the others are still called", (t) => {
  const { client, gateway } = open();
  const thrown: unknown[] = [];
  t.mock.method(globalThis, "queueMicrotask", (task: () => void) => {
    try {
      task();
    } catch (error) {
      thrown.push(error);
    }
  });
  const calls: number[] = [];
  const bad = new Error("mine");
  const fail = () => {
    throw bad;
  };
  client.on("tick", fail);
  client.subscribe("A", { interval: 0, onStatus: fail }, fail);
  client.subscribe("A", { interval: 0 }, ({ seq }) => calls.push(seq));
  gateway.grant(["A"]);
  gateway.say([1, [1, 1, 1, 1, 1]]);
  gateway.say({ op: "status", symbols: ["A"], state: "live", since: 1 });
  assert.deepEqual(thrown, [bad, bad, bad]);
  assert.deepEqual(calls, [1]);
  assert.equal(client.state, "live");
});

test("a closed subscription is not called any more, even within a frame", () => {
  const { client, gateway } = open();
  const calls: string[] = [];
  const first = client.subscribe(["A", "B"], { interval: 0 }, ({ symbol }) => {
    calls.push(`first ${symbol}`);
    second.remove("A");
    if (symbol === "B") client.close();
  });
  const second = client.subscribe(["A", "B", "C"], { interval: 0 }, ({ symbol }) => calls.push(`second ${symbol}`));
  gateway.grant(["A", "B", "C"]);
  gateway.say([1, [1, 1, 1, 1, 1], [2, 1, 1, 1, 1], [3, 1, 1, 1, 1]]);
  assert.deepEqual(calls, ["first A", "first B"]);
  assert.ok(first.closed && second.closed);
  assert.deepEqual([client.quotes.size, client.violations.notGranted], [0, 0]);
  first.add("D");
  first.change({ interval: 1 });
  first.hide();
  first.showOnly(["D"]);
  assert.equal(first.quotes.size, 0);
});

test("hidden symbols get the hidden interval, half a second after they were hidden", async () => {
  const { client, gateway, time } = open({ hiddenInterval: 2_000 });
  const screen = client.subscribe(["A", "B", "C"], { interval: 100 });
  client.subscribe("D", { interval: 5_000, hiddenInterval: 3_000 }).hide();
  assert.equal((await asked(gateway)).length, 2);
  screen.hide(["A", "B"]);
  time.advance(400);
  screen.show("B");
  screen.hide("C");
  time.advance(99);
  assert.deepEqual(await asked(gateway), [], "what comes back within half a second costs nothing");
  time.advance(1);
  assert.deepEqual(await asked(gateway), [{ op: "subscribe", symbols: ["A", "C"], interval: 2_000 }]);
  screen.show(["A", "B"]);
  assert.deepEqual(await asked(gateway), [{ op: "subscribe", symbols: ["A"], interval: 100 }]);
  screen.hide();
  assert.deepEqual(await asked(gateway), [{ op: "subscribe", symbols: ["A", "B"], interval: 2_000 }]);
  screen.show();
  assert.deepEqual(await asked(gateway), [{ op: "subscribe", symbols: ["A", "B", "C"], interval: 100 }]);
  assert.throws(() => screen.hide("A*"), /RangeError: "A\*" is no symbol/);
});

test("a list shows only its rows: the pattern at the hidden interval, the rows at full speed", async () => {
  const { client, gateway, time } = open({ hiddenInterval: 2_000 });
  const screen = client.subscribe("*", { interval: 100 });
  screen.showOnly(["A", "B"]);
  assert.deepEqual(await asked(gateway), [
    { op: "subscribe", symbols: ["*"], interval: 2_000 },
    { op: "subscribe", symbols: ["A", "B"], interval: 100 },
  ]);
  for (let row = 0; row < 50; row++) screen.showOnly([`R${row}`, `R${row + 1}`]);
  const [scrolled] = await asked(gateway);
  assert.equal((scrolled as { symbols: string[] }).symbols.length, 51, "one command, however often it was called");
  time.advance(500);
  const [back] = (await asked(gateway)) as { symbols: string[]; interval: number }[];
  assert.deepEqual([back.symbols.length, back.interval], [51, 2_000]);
  assert.ok(!back.symbols.includes("R49") && !back.symbols.includes("R50"));
});

test("a hidden page has the background interval; when it is visible again, the latest quotes come at once", async () => {
  const { client, gateway, time } = open({ backgroundInterval: 10_000 });
  const calls: number[] = [];
  client.subscribe("A", { interval: 100 }, ({ seq }) => calls.push(seq));
  gateway.grant(["A"], { interval: 100 });
  gateway.say([1, [1, 1, 1, 1, 1]]);
  await asked(gateway);
  client.visible = false;
  assert.deepEqual(await asked(gateway), [{ op: "subscribe", symbols: ["A"], interval: 10_000 }]);
  // A tick that was sent before the change.
  time.advance(200);
  gateway.say([300_000, [1, 5, 1, 1, 1]]);
  assert.deepEqual(calls, [1]);
  client.visible = true;
  assert.deepEqual(calls, [1, 5]);
  assert.deepEqual(await asked(gateway), [{ op: "subscribe", symbols: ["A"], interval: 100 }]);
});

test("an abort signal closes the subscription, whose listener is then removed", async () => {
  const { client, gateway } = open();
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const counting = {
    get aborted() {
      return signal.aborted;
    },
    addEventListener: (type: "abort", listener: () => void) => {
      listeners++;
      signal.addEventListener(type, listener);
    },
    removeEventListener: (type: "abort", listener: () => void) => {
      listeners--;
      signal.removeEventListener(type, listener);
    },
  };
  const screen = client.subscribe("A", { signal: counting });
  client.subscribe("B", { signal: counting }).close();
  assert.equal(listeners, 1);
  controller.abort();
  assert.ok(screen.closed);
  assert.equal(listeners, 0);
  assert.ok(client.subscribe("C", { signal }).closed, "too late");
  assert.deepEqual(await asked(gateway), []);
});

test("a loop gives the latest quote of each symbol, however slow it is, and leaving it closes the subscription", async () => {
  const { client, gateway } = open();
  const screen = client.subscribe(["A", "B"], { interval: 0 });
  gateway.grant(["A", "B"]);
  const rounds: string[] = [];
  const loop = screen[Symbol.asyncIterator]();
  const waiting = loop.next();
  gateway.say([1, [1, 1, 1, 1, 1]]);
  assert.equal((await waiting).value?.seq, 1);
  for (let seq = 2; seq <= 100; seq++) gateway.say([seq, [1, seq, 1, 1, 1], [2, seq, 1, 1, 1]]);
  for (let round = 0; round < 2; round++) rounds.push(shown((await loop.next()).value as Quote));
  assert.deepEqual(rounds, ["A 100 live [1,1]", "B 100 live [1,1]"]);
  const idle = loop.next();
  await loop.return?.();
  assert.deepEqual(await idle, { done: true, value: undefined });
  assert.deepEqual(await loop.next(), { done: true, value: undefined });
  assert.ok(screen.closed);
  for await (const _quote of screen) assert.fail("it is closed");
});

test("a loop over what has a callback as well leaves that open, and ends when it is closed", async () => {
  const { client, gateway } = open();
  const calls: number[] = [];
  const screen = client.subscribe("A", { interval: 0 }, ({ seq }) => calls.push(seq));
  gateway.grant(["A"]);
  gateway.say([1, [1, 1, 1, 1, 1]]);
  for await (const quote of screen) {
    assert.equal(quote.seq, 1, "a loop begins with what is known");
    break;
  }
  assert.ok(!screen.closed);
  const ends = (async () => {
    for await (const _quote of screen);
  })();
  screen.close();
  await ends;
  assert.deepEqual(calls, [1]);
});

test("a final refusal ends loops with the error, once", async () => {
  const { client, gateway } = open();
  const errors: TickgateError[] = [];
  client.on("error", (error) => errors.push(error));
  const loop = client.subscribe("A")[Symbol.asyncIterator]();
  const kept = client.subscribe("B", () => {});
  const waiting = loop.next();
  gateway.drop(4403, "not from here");
  await assert.rejects(waiting, { name: "TickgateError", code: "refused", message: "not from here (4403)" });
  assert.deepEqual(await loop.next(), { done: true, value: undefined });
  assert.deepEqual(
    errors.map(({ code, retryable }) => [code, retryable]),
    [["refused", false]],
  );
  assert.deepEqual([client.state, client.closeReason, kept.closed], ["closed", "not from here (4403)", false]);
  assert.throws(() => client.subscribe("C"), { name: "TickgateError", code: "closed", retryable: false });
  client.connect();
  FakeSocket.last.hello();
  assert.deepEqual(await asked(FakeSocket.last), [{ op: "subscribe", symbols: ["B"], interval: 100 }]);
});

test("a refusal names the symbol, and the client asks again where it may be granted later", async () => {
  const { client, gateway, time, events } = open();
  const errors: (string | undefined)[] = [];
  client.on("error", ({ code, symbol, retryable }) => errors.push(`${code} ${symbol} ${retryable}`));
  const first = client.subscribe(["A", "B"], { interval: 0 });
  await asked(gateway);
  const full = { code: "too_many_symbols", message: "full" };
  gateway.say({
    op: "subscribed",
    interval: 0,
    fields: ["bid"],
    symbols: [["A", 1]],
    rejected: [
      { symbol: "B", ...full },
      { symbol: "C*", ...full },
      { symbol: "D", code: "not_entitled", message: "no" },
    ],
  });
  assert.deepEqual(errors, ["too_many_symbols B true", "too_many_symbols C* true", "not_entitled D false"]);
  assert.deepEqual(
    events.filter((line) => line.startsWith("rejected")),
    ["rejected B: too_many_symbols", "rejected C*: too_many_symbols", "rejected D: not_entitled"],
  );
  time.advance(14_999);
  assert.deepEqual(await asked(gateway), []);
  time.advance(1);
  assert.deepEqual(await asked(gateway), [{ op: "subscribe", symbols: ["B"], interval: 0 }]);
  gateway.say({ op: "subscribed", interval: 0, fields: ["bid"], symbols: [], rejected: [{ symbol: "B", ...full }] });
  first.remove("A");
  assert.deepEqual(await asked(gateway), [{ op: "unsubscribe", symbols: ["A"] }]);
  gateway.say({ op: "unsubscribed", symbols: ["A"] });
  time.advance(0);
  assert.deepEqual(await asked(gateway), [{ op: "subscribe", symbols: ["B"], interval: 0 }], "there is room now");
  assert.equal(time.timers, 2, "the silence timer, and the window of the throttle");
});

test("a failed command is retried if it may succeed, and every failure is an error event", async () => {
  const { client, gateway, time, events } = open();
  client.subscribe(["A", "B*"], { interval: 0 });
  await settled();
  const [patterns, symbols] = gateway.takeCommands();
  const late = { op: "error", code: "too_many_commands", message: "slow down", retryable: true };
  gateway.say({ ...late, id: patterns.id });
  gateway.say({ ...late, id: symbols.id });
  gateway.say({ op: "error", code: "internal", message: "x", retryable: true });
  time.advance(1_000);
  assert.deepEqual(await asked(gateway), [
    { op: "subscribe", symbols: ["B*"], interval: 0 },
    { op: "subscribe", symbols: ["A"], interval: 0 },
  ]);
  assert.deepEqual(events, ["error too_many_commands", "error too_many_commands", "error internal"]);
});

test("an error without a listener is written to the console, once for each code", (t) => {
  const said = t.mock.method(console, "error", () => {});
  const client = new TickgateClient("ws://gateway", { WebSocket: FakeSocket, time: new ManualTime() });
  client.subscribe(["A", "B"]);
  FakeSocket.last.hello();
  const refusal = { code: "not_entitled", message: "no" };
  const rejected = [
    { symbol: "A", ...refusal },
    { symbol: "B", ...refusal },
  ];
  FakeSocket.last.say({ op: "subscribed", interval: 0, fields: ["bid"], symbols: [], rejected });
  FakeSocket.last.drop(4401);
  const errors = said.mock.calls.map(({ arguments: [error] }) => error as TickgateError);
  assert.deepEqual(
    errors.map(({ code, symbol }) => [code, symbol]),
    [
      ["not_entitled", "A"],
      ["refused", undefined],
    ],
  );
});

test("commands are within the gateway's limits, in bytes and in number", async () => {
  const { client, time } = fakeClient();
  const symbols = Array.from({ length: 1_000 }, (_, index) => `VENUE:SYMBOL-${index}`);
  client.subscribe(symbols, { interval: 3_600_000, fields: ["bid", "bidSize", "ask", "askSize", "last", "lastSize"] });
  FakeSocket.last.hello({ heartbeat: 60_000, limits: { symbols: 1_000, commandsPerSecond: 5, messageBytes: 512 } });
  const sent: { at: number; symbols: string[] }[] = [];
  for (let step = 0; step < 2_000 && sent.flatMap((command) => command.symbols).length < 1_000; step++) {
    for (const text of FakeSocket.last.sent.splice(0)) {
      assert.ok(text.length <= 512, `${text.length} bytes`);
      sent.push({ at: time.millis(), symbols: JSON.parse(String(text)).symbols });
    }
    time.advance(100);
  }
  assert.deepEqual(new Set(sent.flatMap((command) => command.symbols)), new Set(symbols));
  for (let first = 0; first < sent.length; first++)
    for (let last = first; last < sent.length; last++)
      assert.ok(last - first + 1 <= 5 + ((sent[last].at - sent[first].at) / 1_000) * 5);
});

test("while the client waits for its next attempt, connect makes it now", () => {
  const { client } = fakeClient();
  client.connect();
  FakeSocket.last.fail("no network");
  assert.equal(client.connection.phase, "waiting");
  client.connect();
  assert.equal(FakeSocket.all.length, 2);
  client.connect();
  assert.equal(FakeSocket.all.length, 2, "one attempt at a time");
});
