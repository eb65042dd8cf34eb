import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSocket, fakeClient, settled } from "../../../test/support/fake_connection.ts";
import type { TickgateClient, Violation } from "../client.ts";

function openClient(symbols: string[], terms?: { interval?: number; fields?: string[] }) {
  const parts = fakeClient({ intervalTolerance: 0 });
  const screen = parts.client.subscribe(["*"], { interval: 0 });
  FakeSocket.last.hello();
  FakeSocket.last.grant(symbols, terms);
  parts.events.length = 0;
  return { ...parts, screen, gateway: FakeSocket.last };
}

/** The violations that are not 0. */
function broken(client: TickgateClient): Record<string, number> {
  return Object.fromEntries(Object.entries(client.violations).filter(([, count]) => count > 0));
}

test("a tick has all values by name, and the number of ticks that it replaced", () => {
  const { client, gateway, events } = openClient(["A", "B"]);
  gateway.say([5_000, [1, 1, 900, 10, null], [2, 4, 901, 20, 21]]);
  gateway.say([6_000, [1, 4, 950, 11, 12]]);
  assert.deepEqual(events, [
    "tick A 1 [10,] -0",
    "tick B 4 [20,21] -0",
    "frame of 2",
    "tick A 4 [11,12] -2",
    "frame of 1",
  ]);
  const quote = client.quotes.get("A");
  assert.deepEqual(quote?.toObject(), { bid: 11, ask: 12 });
  assert.deepEqual([quote?.get("ask"), quote?.get("last")], [12, null]);
  assert.deepEqual(
    [quote?.seq, quote?.eventTime, quote?.sentAt, quote?.conflated, quote?.ticks],
    [4, 950, 6_000, 2, 2],
  );
  const { frames, ticks, conflated } = client.stats;
  assert.deepEqual({ frames, ticks, conflated }, { frames: 2, ticks: 3, conflated: 2 });
  assert.deepEqual(broken(client), {});
});

test("a quote is unknown until its first tick, and then as the gateway says", () => {
  const { client, gateway, events } = openClient(["A"]);
  const quote = client.quotes.get("A");
  assert.equal(quote?.state, "unknown");
  gateway.say([1, [1, 1, 1, 1, 1]]);
  assert.equal(quote?.state, "live");
  gateway.say({ op: "status", symbols: ["A", "NEVER"], state: "stale", reason: "silent", since: 7 });
  assert.deepEqual([quote?.state, quote?.reason, quote?.since], ["stale", "silent", 7]);
  gateway.say({ op: "status", symbols: ["A"], state: "live", since: 8 });
  gateway.say({ op: "status", symbols: ["A"], state: "closed", reason: "end of input", since: 9 });
  assert.equal(quote?.state, "closed");
  assert.deepEqual(
    events.filter((line) => line.startsWith("status")),
    ["status A stale silent", "status A live", "status A closed end of input"],
  );
  // After a new grant the gateway reports only states that differ from live.
  gateway.grant(["A"]);
  assert.equal(quote?.state, "closed");
  gateway.say([2, [1, 1, 1, 1, 1]]);
  assert.equal(quote?.state, "live");
  gateway.grant(["A"]);
  gateway.say({ op: "status", symbols: ["A"], state: "stale", reason: "silent", since: 9 });
  gateway.say([3, [1, 1, 1, 1, 1]]);
  assert.equal(quote?.state, "stale");
});

test("a symbol that nobody publishes is stale until its first tick, whether or not a status says that it is live", () => {
  const { client, gateway } = openClient(["A", "B"]);
  const shown = () => ["A", "B"].map((symbol) => `${client.get(symbol)?.state} ${client.get(symbol)?.reason}`.trim());
  assert.deepEqual(shown(), ["unknown", "unknown"]);
  const nobody = { op: "status", symbols: ["A", "B"], state: "stale", reason: "unknown", since: 7 };
  gateway.say(nobody);
  assert.deepEqual(shown(), ["stale unknown", "stale unknown"]);
  gateway.grant(["A", "B"], { interval: 50 });
  assert.deepEqual(shown(), ["stale unknown", "stale unknown"], "a grant alone tells nothing");
  gateway.say(nobody);
  gateway.say({ op: "status", symbols: ["A"], state: "live", since: 8 });
  gateway.say([1, [1, 1, 1, 1, 1], [2, 1, 1, 1, 1]]);
  assert.deepEqual(shown(), ["live", "live"]);

  gateway.drop(1006);
  assert.deepEqual(shown(), ["stale connection lost (1006)", "stale connection lost (1006)"]);
  client.connect();
  FakeSocket.last.hello();
  FakeSocket.last.grant(["A", "B"]);
  assert.deepEqual(shown(), ["stale connection lost (1006)", "stale connection lost (1006)"]);
  // This gateway has never received a tick of them.
  FakeSocket.last.say(nobody);
  assert.deepEqual(shown(), ["stale unknown", "stale unknown"]);
  FakeSocket.last.say({ op: "status", symbols: ["A"], state: "live", since: 8 });
  assert.equal(client.get("A")?.state, "stale", "there is no tick of this connection yet");
  FakeSocket.last.say([1, [2, 1, 1, 1, 1]]);
  assert.deepEqual(shown()[1], "live");
  assert.deepEqual(broken(client), {});
});

test("a change of fields keeps the values under their names until the snapshot", () => {
  const { client, gateway } = openClient(["A"]);
  gateway.say([1, [1, 1, 1, 10, 11]]);
  gateway.grant(["A"], { fields: ["last", "bid"], interval: 50 });
  assert.deepEqual(client.quotes.get("A")?.toObject(), { last: null, bid: 10 });
  gateway.say([2, [1, 1, 1, 10.5, 10]]);
  assert.deepEqual(client.quotes.get("A")?.toObject(), { last: 10.5, bid: 10 });
  assert.deepEqual(broken(client), {}, "a fresh snapshot may be the same tick, and at once");
});

test("a gap is not counted as conflated, and a reset may go back", () => {
  const { client, gateway } = openClient(["A"]);
  gateway.say([1, [1, 10, 1, 1, 1]]);
  gateway.say({ op: "status", symbols: ["A"], state: "gap", reason: "missed", since: 1 });
  gateway.say([2, [1, 20, 1, 1, 1]]);
  gateway.say({ op: "status", symbols: ["A"], state: "gap", reason: "reset", since: 1 });
  gateway.say([3, [1, 2, 1, 1, 1]]);
  gateway.say([4, [1, 4, 1, 1, 1]]);
  const quote = client.get("A");
  assert.deepEqual([quote?.conflated, quote?.lost, quote?.state], [1, 9, "live"]);
  assert.deepEqual([client.stats.lost, client.stats.gaps, client.stats.resets], [9, 1, 1]);
  assert.deepEqual(broken(client), {});
});

test("a symbol that no subscription covers any more is dropped at once", async () => {
  const { client, screen, gateway, events } = openClient(["A", "B"]);
  gateway.takeCommands();
  screen.remove("A");
  await settled();
  assert.deepEqual(
    gateway.takeCommands().map(({ id, ...command }) => command),
    [{ op: "unsubscribe", symbols: ["A"] }],
  );
  assert.deepEqual([...client.quotes.keys()], ["B"]);
  gateway.say([1, [1, 1, 1, 1, 1]]);
  gateway.say({ op: "unsubscribed", symbols: ["A"] });
  gateway.drop(1006);
  screen.remove("B*");
  assert.equal(client.quotes.size, 0);
  assert.deepEqual(events, ["ended A", "frame of 1", "waiting: connection lost (1006)", "ended B"]);
  assert.deepEqual(broken(client), {});
});

test("every promise that is broken is counted, and only that", () => {
  const breaking: Partial<Record<Violation, (gateway: FakeSocket) => void>> = {
    notGranted: (gateway) => gateway.say([2_000, [9, 1, 1, 1, 1]]),
    wrongLength: (gateway) => gateway.say([2_000, [1, 2, 1, 1]]),
    twiceInFrame: (gateway) => gateway.say([2_000, [1, 2, 1, 1, 1], [1, 3, 1, 1, 1]]),
    seqBack: (gateway) => gateway.say([2_000, [1, 0, 1, 1, 1]]),
    seqRepeated: (gateway) => gateway.say([2_000, [1, 1, 1, 1, 1]]),
    handleChanged: (gateway) => gateway.grant(["A"], { from: 5 }),
    frameTooLarge: (gateway) => gateway.raw(`[2000,[1,2,1,1,1]]${" ".repeat(65_536)}`),
  };
  for (const [violation, act] of Object.entries(breaking)) {
    const { client, gateway } = openClient(["A"]);
    gateway.say([1_000, [1, 1, 1, 1, 1]]);
    act(gateway);
    assert.deepEqual(broken(client), { [violation]: 1 });
  }
});

test("a control message over 16 KiB is counted as too large, one of just that is not", () => {
  const heartbeat = '{"op":"heartbeat","time":1}';
  const { client, gateway } = openClient(["A"]);
  gateway.raw(heartbeat.padEnd(16_384));
  assert.deepEqual(broken(client), {});
  gateway.raw(heartbeat.padEnd(16_385));
  assert.deepEqual(broken(client), { frameTooLarge: 1 });
});

test("ticks that come faster than granted are counted, but for a snapshot", () => {
  const { client, gateway } = openClient(["A"], { interval: 100 });
  gateway.say([1_000_000, [1, 1, 1, 1, 1]]);
  gateway.say([1_100_000, [1, 2, 1, 1, 1]]);
  assert.deepEqual(broken(client), {});
  gateway.say([1_199_999, [1, 3, 1, 1, 1]]);
  assert.deepEqual(broken(client), { tooOften: 1 });
  gateway.grant(["A"], { interval: 100 });
  gateway.say([1_200_000, [1, 3, 1, 1, 1]]);
  assert.deepEqual(broken(client), { tooOften: 1 });
});
