import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { type WebSocket, WebSocketServer } from "ws";
import { keptContext, until } from "../../../test/support/feed_bench.ts";
import { Connection, type ConnectionOptions, type Outcome, type Venue } from "./connection.ts";

/** A venue of one's own on the loopback address, and a connection to it. */
async function setUp(t: TestContext, serve: (socket: WebSocket) => void, options: Partial<ConnectionOptions> = {}) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const changed = new EventEmitter();
  const received: { text: string; at: number; connection: number }[] = [];
  let connections = 0;
  server.on("connection", (socket) => {
    const connection = ++connections;
    socket.on("message", (data) => {
      received.push({ text: data.toString(), at: performance.now(), connection });
      changed.emit("change");
    });
    serve(socket);
    changed.emit("change");
  });
  const context = keptContext();
  const venue: Venue = {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/?streams=hidden`,
    symbols: ["A"],
    messagesPerSecond: 20,
    subscribe: () => ["first", "second", "third"],
    message(value, send): Outcome {
      if (value === "say") send("said");
      if (value !== "tick") return value === "end" ? "end" : "unknown";
      context.sink.tick("A", { bid: 1 }, 1);
      return "tick";
    },
  };
  const connection = new Connection(venue, context, { silence: 60_000, maxBackoff: 20, minBackoff: 10, ...options });
  t.after(async () => {
    await connection.close();
    for (const client of server.clients) client.terminate();
    await new Promise((resolve) => server.close(resolve));
  });
  connection.start();
  return { server, context, connection, received, changed, connections: () => connections };
}

test("it subscribes on each connection, no faster than the venue allows", async (t) => {
  const { server, context, received, changed, connections } = await setUp(t, () => {});
  await until(changed, () => received.length === 3, "three messages");
  assert.deepEqual(
    received.map(({ text }) => text),
    ["first", "second", "third"],
  );
  for (const client of server.clients) client.terminate();
  await until(changed, () => received.length === 6, "the subscriptions again");
  assert.equal(connections(), 2);
  assert.equal(received[5].connection, 2);
  // 50 ms apart, timers may fire a little early. A busy machine may read several at once, though not each time.
  const isPaced = () => {
    const last = received.slice(-3);
    return last[2].at - last[0].at >= 90;
  };
  for (let again = 0; !isPaced(); again++) {
    assert.ok(again < 10, "paced");
    const wanted = received.length + 3;
    for (const client of server.clients) client.terminate();
    await until(changed, () => received.length === wanted, "the subscriptions again");
  }
  assert.match(context.sink.states[0], /^stale: connection lost: closed by the venue \(1006\)/);
});

test("connections that came about and were lost are counted, and whether there is one is known", async (t) => {
  const { server, context, connection, received, changed } = await setUp(t, () => {});
  const { sink } = context;
  assert.equal(connection.isOpen, false);
  await until(changed, () => received.length === 1, "a message");
  assert.deepEqual([connection.isOpen, sink.connects, sink.disconnects], [true, 1, 0]);
  for (const client of server.clients) client.terminate();
  await until(sink.changed, () => sink.states.length === 1, "the loss");
  assert.deepEqual([connection.isOpen, sink.connects, sink.disconnects], [false, 1, 1]);
  await until(changed, () => received.length >= 2, "the next one's message");
  assert.deepEqual([connection.isOpen, sink.connects, sink.disconnects], [true, 2, 1]);
  await connection.close();
  assert.equal(connection.isOpen, false);
});

test("a venue that is not there is no connection that was lost", async (t) => {
  const context = keptContext();
  const venue: Venue = {
    ...{ url: "ws://127.0.0.1:9", symbols: ["A"], messagesPerSecond: 1, subscribe: () => [] },
    message: () => "unknown",
  };
  const connection = new Connection(venue, context, { silence: 1_000, maxBackoff: 20, minBackoff: 10 });
  t.after(() => connection.close());
  connection.start();
  const { sink } = context;
  await until(sink.changed, () => sink.states.length === 2, "two tries");
  assert.deepEqual([sink.connects, sink.disconnects], [0, 0]);
});

test("a venue that says nothing is given up and tried again", async (t) => {
  const { context, connections, changed } = await setUp(t, () => {}, { silence: 100 });
  await until(changed, () => connections() === 3, "the third connection");
  assert.equal(context.sink.states[0], "stale: connection lost: nothing heard for 100 ms");
});

test("pings are life enough", async (t) => {
  const { context, connections, changed } = await setUp(
    t,
    (socket) => {
      let pings = 0;
      const timer = setInterval(() => {
        socket.ping();
        if (++pings === 20) changed.emit("change");
      }, 20);
      socket.on("pong", () => changed.emit("change")).on("close", () => clearInterval(timer));
    },
    { silence: 200 },
  );
  const start = performance.now();
  await until(changed, () => performance.now() - start > 600, "three times the silence");
  assert.equal(connections(), 1);
  assert.deepEqual(context.sink.states, []);
});

test("a message that is no JSON, binary or unknown is counted and the connection goes on", async (t) => {
  const { context, connections } = await setUp(t, (socket) => {
    for (const text of ["", "{", "not json", "1e5", '"other"']) socket.send(text);
    socket.send(Buffer.from('"tick"'));
    socket.send('"tick"');
  });
  await until(context.sink.changed, () => context.sink.ticks.length === 1, "the tick after all");
  assert.deepEqual(context.sink.skipped, ["malformed", "malformed", "malformed", "unknown", "unknown", "malformed"]);
  assert.equal(connections(), 1);
});

test("a snapshot of 5 MB is read", async (t) => {
  const { context } = await setUp(t, (socket) => {
    socket.send(JSON.stringify("x".repeat(5_000_000)));
    socket.send('"tick"');
  });
  await until(context.sink.changed, () => context.sink.ticks.length === 1, "the tick after it");
  assert.deepEqual([context.sink.skipped, context.sink.states], [["unknown"], []]);
});

test("a message that is too large ends the connection, and another is made", async (t) => {
  const { context, connections, changed } = await setUp(t, (socket) => socket.send("x".repeat(9_000_000)));
  await until(changed, () => connections() === 2, "the second connection");
  assert.match(context.sink.states[0], /Max payload size exceeded/);
});

test("a venue may be answered", async (t) => {
  const { received, changed } = await setUp(t, (socket) => socket.send('"say"'));
  await until(changed, () => received.some(({ text }) => text === "said"), "the answer");
});

test("a venue that gives a tick and fails does not make a tight loop", async (t) => {
  const { context, connections, changed } = await setUp(
    t,
    (socket) => {
      socket.send('"tick"');
      socket.close(1011, "oops");
    },
    { minBackoff: 20, maxBackoff: 100_000 },
  );
  await until(changed, () => connections() === 4, "four connections");
  const waits = context.kept.lines.filter((line) => line.level === 40).map((line) => line.wait as number);
  for (const [i, wait] of waits.entries()) assert.ok(wait >= 10 * 2 ** i, `${wait} ms is the wait number ${i}`);
  assert.match(context.sink.states[0], /\(1011 oops\)/);
});

test("the log has a line per change of state, none per message, and no long addresses", async (t) => {
  const { context } = await setUp(t, (socket) => {
    for (let i = 0; i < 100; i++) socket.send('"tick"');
  });
  await until(context.sink.changed, () => context.sink.ticks.length === 100, "all ticks");
  assert.deepEqual(context.kept.messages(), ["connected", "live"]);
  assert.ok(!JSON.stringify(context.kept.lines).includes("hidden"));
});

test("when there is nothing more to come, it ends for good", async (t) => {
  const { server, changed, connections } = await setUp(t, (socket) => {
    socket.send('"end"');
    socket.on("close", () => changed.emit("change"));
  });
  await until(changed, () => connections() === 1 && server.clients.size === 0, "the end");
});

test("closing ends it at any stage", async (t) => {
  const { server, context, connection, changed, connections } = await setUp(t, (socket) =>
    socket.on("close", () => changed.emit("change")),
  );
  await until(changed, () => connections() === 1, "a connection");
  await connection.close();
  await until(changed, () => server.clients.size === 0, "the close");
  assert.deepEqual(context.sink.states, []);
  await connection.close();
  const early = new Connection(
    { url: "ws://127.0.0.1:9", symbols: [], messagesPerSecond: 1, subscribe: () => [], message: () => "unknown" },
    keptContext(),
    { silence: 100, maxBackoff: 100 },
  );
  early.start();
  await early.close();
});
