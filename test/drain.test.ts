/** How a gateway drains: first not ready, then a bye to each client, with different times to reconnect. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayProcess, polled } from "./support/gateway_process.ts";
import { WireClient } from "./support/wire_client.ts";

for (const signal of ["SIGTERM", "SIGINT"] as const)
  test(`${signal}: unready, then bye with another retryAfter for each, then 1012, and exit code 0`, async () => {
    const gateway = await GatewayProcess.open("--drain-delay", "1500", "--drain-spread", "10000");
    try {
      assert.equal((await gateway.admin("/readyz")).status, 200);
      gateway.tick("A", { bid: 1 });
      const clients = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          WireClient.open(gateway.url, index % 2 === 0 ? "tickgate.v1.json" : "tickgate.v1.msgpack"),
        ),
      );
      await clients[0].subscribe(["A"], { interval: 0 });

      gateway.signal(signal);
      await polled(
        () => gateway.admin("/readyz"),
        ({ status }) => status === 503,
        "the gateway to be unready",
      );
      assert.equal((await gateway.admin("/healthz")).status, 200);
      assert.ok(
        clients.every((client) => !client.order.includes("bye")),
        "not ready before the first bye",
      );
      const { status, headers } = await WireClient.refused(gateway.url);
      assert.equal(status, 503);
      assert.match(String(headers["retry-after"]), /^\d+$/);
      gateway.tick("A", { bid: 2 });
      await clients[0].tick((tick) => tick.values[0] === 2, "a tick while it goes");

      const byes = await Promise.all(clients.map((client) => client.heard("bye")));
      for (const client of clients) {
        assert.equal((await client.untilClosed()).code, 1012);
        assert.equal(client.order.at(-1), "bye");
      }
      assert.ok(byes.every((bye) => bye.code === 1012 && bye.reason !== ""));
      const times = byes.map((bye) => bye.retryAfter);
      assert.ok(times.every((time) => Number.isInteger(time) && time >= 0 && time <= 10_000));
      assert.ok(new Set(times).size > 10, `${times}`);
      const { code, stderr } = await gateway.ended();
      assert.equal(code, 0, stderr);
    } finally {
      await gateway.close();
    }
  });

test("without connections it ends immediately", async () => {
  const gateway = await GatewayProcess.open("--drain-delay", "60000");
  try {
    gateway.signal("SIGTERM");
    assert.equal((await gateway.ended()).code, 0);
  } finally {
    await gateway.close();
  }
});

test("a client that does not read does not delay the end", async () => {
  const gateway = await GatewayProcess.open("--drain-delay", "0");
  try {
    const client = await WireClient.open(gateway.url);
    client.socket.pause();
    gateway.signal("SIGTERM");
    assert.equal((await gateway.ended()).code, 0);
    client.close();
  } finally {
    await gateway.close();
  }
});

test("when its feed ends, symbols are closed, also for later clients", async () => {
  const gateway = await GatewayProcess.open();
  try {
    gateway.tick("A", { bid: 1 });
    await gateway.known("A");
    const client = await WireClient.open(gateway.url);
    await client.subscribe(["A"]);
    await client.tick(() => true, "the snapshot");
    gateway.endFeed();
    const status = await client.heard("status");
    assert.deepEqual([status.state, status.symbols, status.reason], ["closed", ["A"], "end of input"]);
    assert.ok(Math.abs(status.since / 1_000 - Date.now()) < 20_000);
    const late = await WireClient.open(gateway.url, "tickgate.v1.msgpack");
    await late.subscribe(["A"]);
    assert.equal((await late.heard("status")).state, "closed");
    await late.tick(({ values }) => values[0] === 1, "the last value, which stands");
    assert.ok(late.order.indexOf("status") < late.order.indexOf("tick"));
    for (const each of [client, late]) each.close();
  } finally {
    await gateway.close();
  }
});
