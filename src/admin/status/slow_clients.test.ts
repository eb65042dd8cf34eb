import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionBench } from "../../../test/support/session_bench.ts";
import { type InspectedSession, slowestClients } from "./slow_clients.ts";

const deaf = { control() {}, frame() {} };

function bench(): SessionBench {
  const bench = new SessionBench("tickgate.v1.json", deaf);
  bench.session.open();
  return bench;
}

/** What is told of the only connection of a bench. */
async function told({ session, clock }: SessionBench) {
  const [client] = await slowestClients([session], 1, () => clock.millis());
  return client;
}

test("a connection that answers at once is not behind, and nothing is wrong with it", async () => {
  const one = bench();
  assert.equal((await told(one)).roundTrip, null, "no ping has been answered yet");
  one.advance(20);
  one.send({ op: "subscribe", symbols: ["A", "B"], interval: 250 });
  const client = await told(one);
  assert.deepEqual(
    [client.session, client.address, client.agent, client.symbols, client.interval],
    ["session", "127.0.0.1", "test", 2, 250],
  );
  assert.deepEqual([client.behind, client.unanswered, client.held, client.why], [0, null, 0, ""]);
  assert.equal(client.connectedFor, 20);
});

test("one that reads slowly is behind by what queues, with the rate at which it reads", async () => {
  // Bytes that came before each ping; what is read of them, 10 a millisecond, answers it.
  let sent = 0;
  const frame = (_at: number, _ticks: unknown, bytes: number) => {
    sent += bytes;
  };
  const one = new SessionBench("tickgate.v1.json", { control() {}, frame });
  one.session.open();
  one.advance(10);
  one.isAnswering = false;
  one.send({ op: "subscribe", symbols: ["A"], interval: 0 });
  const queue: { ping: ArrayBuffer; behind: number }[] = [];
  for (let seq = 1, read = 0; seq <= 2_000; seq++) {
    one.record("A", { epoch: 1, seq });
    one.advance(5);
    for (const ping of one.socket.pings.splice(0)) queue.push({ ping, behind: sent });
    read = Math.min(read + 50, sent);
    while (queue.length > 0 && queue[0].behind <= read) one.session.handlePong(queue.shift()!.ping);
  }
  const client = await told(one);
  assert.ok(client.behind > 100, `${client.behind} ms`);
  assert.ok((client.roundTrip ?? 0) > (client.bareRoundTrip ?? 0) * 2);
  // Control messages are not in what this reader counts.
  assert.ok(Math.abs((client.reads ?? 0) / 10_000 - 1) < 0.2, `${client.reads} bytes a second`);
  assert.match(client.why, /^client: reads 1?[\d.]+ KB\/s; what is sent takes \d+ ms instead of \d+ ms$/);
});

test("one that has stopped answers nothing, and waits; the longer, the further it is behind", async () => {
  const one = bench();
  one.advance(10);
  one.isAnswering = false;
  one.send({ op: "subscribe", symbols: ["A"], interval: 0 });
  const behind: number[] = [];
  for (let seq = 1; seq <= 1_200; seq++) {
    one.record("A", { epoch: 1, seq });
    one.advance(5);
    if (seq % 400 === 0) behind.push((await told(one)).behind);
  }
  const client = await told(one);
  assert.ok(behind[0] < behind[1] && behind[1] < behind[2], `${behind}`);
  assert.ok(client.held > 0 && client.unanswered !== null);
  assert.match(client.why, /^client: has not answered for \d\.\d s$/);
});

test("of many, as many as are asked for, the slowest first, and none that has gone", async () => {
  const made = (behind: number, isClosed = false): InspectedSession => {
    const counts = { age: Number.NaN, ticks: 0, conflated: 0 };
    const window = { size: 1, inFlight: 0, lastTrip: 1, pace: 0, roundTrip: 1, unansweredSince: undefined };
    const outbound = { window, isClosed, conflating: undefined, behind: () => behind, held: () => 0, ...counts };
    return { id: String(behind), address: "", agent: "", openedAt: 0, symbols: 1, interval: 1, outbound };
  };
  const sessions = new Set(Array.from({ length: 2_500 }, (_, index) => made((index * 7_919) % 2_500)));
  const slowest = async (count: number) =>
    (await slowestClients(sessions, count, () => 0)).map(({ session }) => session);
  assert.deepEqual(await slowest(3), ["2499", "2498", "2497"]);
  assert.deepEqual(await slowest(0), []);
  assert.equal((await slowest(10_000)).length, 2_500);
  sessions.add(made(5_000, true));
  assert.deepEqual(await slowest(2), ["2499"], "the one that has gone had taken a place");
});
