/** A gateway with a low limit on open files, and a client that opens connections and sends nothing. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { GatewayProcess, polled } from "./support/gateway_process.ts";
import { WireClient } from "./support/wire_client.ts";

const FILES = 300;
/** A request that does not end. */
const HALF = "GET / HTTP/1.1\r\nHost: ";
const IDLE = 400;
/** The longest wait of a client for its pong while others attack, ms. */
const MOST_WAIT = 250;
/** uWebSockets.js closes a socket without a request after 10 s, and checks every 4 s; ms. */
const IDLE_TIME = 15_000;

function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(stat[11]) + Number(stat[12])) / 100;
}

/** @param text the only text that it sends */
function idle(port: number, text: string): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.write(text);
      resolve(socket);
    });
    socket.on("error", () => resolve(socket));
  });
}

test("idle sockets over the limit on open files do not affect others, and new clients connect when they are closed", async (t) => {
  const gateway = await GatewayProcess.openWithFiles(FILES);
  t.after(() => gateway.close());
  assert.match(gateway.stderr, /the limit on open files leaves room for fewer connections/);
  const beside = await WireClient.open(gateway.url);
  const limit = await gateway.metric("tickgate_sockets_limit");
  assert.ok(limit > 100 && limit < FILES, `${limit}`);
  const started = performance.now();
  const cpu = cpuSeconds(gateway.pid);
  const sockets = await Promise.all(
    Array.from({ length: IDLE }, (_, index) => idle(gateway.port, index % 2 === 0 ? "" : HALF)),
  );
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  let longest = 0;
  while (performance.now() - started < 3_000) {
    const asked = performance.now();
    await beside.ask({ op: "ping" }, "pong");
    longest = Math.max(longest, performance.now() - asked);
    assert.equal((await gateway.admin("/healthz")).status, 200);
    assert.ok((await gateway.metric("tickgate_sockets")) <= limit);
    // This measures the cost of idle sockets, not of these requests.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const busy = (cpuSeconds(gateway.pid) - cpu) / ((performance.now() - started) / 1_000);
  assert.ok(longest < MOST_WAIT, `a pong took ${longest} ms`);
  assert.ok(busy < 0.5, `${Math.round(busy * 100)} % of a core`);
  assert.ok((await gateway.metric("tickgate_sockets_shed_total")) > 0);
  assert.match(gateway.stderr, /closing new sockets: too many are open/);
  await polled(
    () => gateway.metric("tickgate_sockets"),
    (count) => count === 1 || performance.now() - started > 2 * IDLE_TIME,
    "the idle sockets to be closed",
  );
  assert.equal(await gateway.metric("tickgate_sockets"), 1);
  const next = await WireClient.open(gateway.url);
  await next.ask({ op: "ping" }, "pong");
  assert.equal(beside.closed, undefined);
  for (const client of [beside, next]) client.close();
});
