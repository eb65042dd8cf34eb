/** A thousand reconnects leak no socket, timer, listener or memory. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { LiveGateway } from "../../test/support/client_gateway.ts";
import { FakeSocket, fakeClient, settled } from "../../test/support/fake_connection.ts";
import { FaultProxy } from "../../test/support/fault_proxy.ts";

const PROGRAM = fileURLToPath(new URL("../../test/support/reconnecting.ts", import.meta.url));
const RECONNECTS = 1_000;
/** How much the heap may grow over nine hundred reconnects, bytes: a leak of 1 KB each would exceed it. */
const HEAP_SLACK = 900_000;

/** The deadline, ms: it takes seconds, but more on a busy machine. */
const DEADLINE = 400_000;

interface Report {
  readonly early: Record<string, number>;
  readonly late: Record<string, number>;
  readonly closed: Record<string, number>;
  readonly quotes: number;
  readonly ticks: number;
  readonly reconnects: number;
}

// In parallel: most of the time is waiting.
test("a thousand reconnects to a real gateway leave nothing behind", { concurrency: true }, async (t) => {
  const gateway = await LiveGateway.open({ maxConnectionsPerAddress: 1_000 });
  t.after(() => gateway.cut());
  let bid = 0;
  const tick = () => {
    bid++;
    for (let index = 0; index < 20; index++) gateway.tick(`V:${String(index).padStart(3, "0")}`, bid, bid + 1);
  };
  tick();
  const ticking = setInterval(tick, 10);
  t.after(() => clearInterval(ticking));
  const over = async (socket: string) => {
    const proxy = await FaultProxy.open(gateway.port);
    t.after(() => proxy.close());
    // After hello and the first prices, within a later message.
    proxy.cutAfter = 4_000;
    const child = spawn(process.execPath, ["--expose-gc", PROGRAM, proxy.url, socket, String(RECONNECTS)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(() => child.kill("SIGKILL"));
    const deadline = setTimeout(() => child.kill("SIGKILL"), DEADLINE);
    t.after(() => clearTimeout(deadline));
    const report = JSON.parse(await text(child.stdout)) as Report;
    const { early, late, closed, quotes, ticks, reconnects } = report;
    assert.ok(reconnects >= RECONNECTS && ticks > RECONNECTS, JSON.stringify(report));
    assert.equal(quotes, 20);
    assert.ok(late.heap - early.heap < HEAP_SLACK, `${late.heap - early.heap} bytes more`);
    // One socket that is being made or used, and one that is being closed; timers for reconnect, ping, throttle and
    // delivery.
    assert.ok((late.TCPSocketWrap ?? 0) <= 2, JSON.stringify(late));
    assert.ok((late.Timeout ?? 0) <= 6, JSON.stringify(late));
    assert.deepEqual([closed.TCPSocketWrap ?? 0, closed.Timeout ?? 0], [0, 0], JSON.stringify(closed));
  };
  await Promise.all([t.test("over the global WebSocket", () => over("global")), t.test("over ws", () => over("ws"))]);
});

test("a thousand reconnects leave no timer and no quote behind, and ask for the same each time", async () => {
  const { client, time } = fakeClient({ pingInterval: 1_000 });
  const screen = client.subscribe(["A", "B:*"], { interval: 250 });
  screen.hide(["A"]);
  time.advance(500);
  const first = [];
  for (let count = 0; count < RECONNECTS; count++) {
    FakeSocket.last.hello();
    FakeSocket.last.grant(["A", "B:1", "B:2"]);
    FakeSocket.last.say([count, [1, 1, 1, 1, 1]]);
    await settled();
    const commands = FakeSocket.last.takeCommands();
    if (count === 0) first.push(...commands);
    assert.deepEqual(commands, first);
    assert.ok(time.timers <= 4, `${time.timers} timers`);
    FakeSocket.last.drop(1006);
    assert.equal(time.timers, 1, "only that for the next attempt");
    time.advance((client.connection as { retryIn: number }).retryIn);
  }
  assert.equal(FakeSocket.all.length, RECONNECTS + 1);
  assert.deepEqual([...client.quotes.keys()], ["A", "B:1", "B:2"]);
  client.close();
  assert.deepEqual([time.timers, client.quotes.size], [0, 0]);
});
