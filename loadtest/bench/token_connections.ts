/** Opens WebSocket connections at a rate, each with a token, and closes each when it is accepted. */
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { GatewayProcess } from "../gateway_process.ts";

/** How often connections are opened, ms. */
const TICK = 5;
/** The most that are open at a time: each takes a descriptor here and one at the gateway. */
const MOST_OPEN = 4_000;

export interface ConnectionLoad {
  readonly rate: number;
  readonly seconds: number;
  /** The gateway's settings, and the tokens that it accepts. */
  readonly args: readonly string[];
  readonly tokens: readonly string[];
}

export interface ConnectionResult {
  /** Connections that were accepted, a second. */
  readonly rate: number;
  /** The gateway's CPU of each, µs. */
  readonly cpu: number;
  /** How late a timer of 10 ms was at the gateway: the longest and the 99th percentile, ms. */
  readonly heldMost: number;
  readonly held99: number;
}

export async function measureConnections(load: ConnectionLoad): Promise<ConnectionResult> {
  // The gateway may see the end of one connection after the beginning of the next.
  const most = String(2 * MOST_OPEN);
  const limits = ["--max-connections", most, "--max-connections-per-address", most];
  const gateway = await GatewayProcess.start([...limits, ...load.args, "--feed", "sim:?symbols=1&rate=1"]);
  try {
    // The first connections compile the code.
    await openAll(gateway.port, { ...load, seconds: 1 });
    // A page resets the event loop's numbers.
    const before = await gateway.metrics();
    const start = performance.now();
    const accepted = await openAll(gateway.port, load);
    const time = performance.now() - start;
    const after = await gateway.metrics();
    const cpu = (after.get("process_cpu_seconds_total") ?? 0) - (before.get("process_cpu_seconds_total") ?? 0);
    const lateness = (name: string) => (after.get(`nodejs_eventloop_lag_${name}_seconds`) ?? Number.NaN) * 1_000 - 10;
    return {
      rate: Math.round((accepted * 1_000) / time),
      cpu: (cpu * 1e6) / accepted,
      heldMost: lateness("max"),
      held99: lateness("p99"),
    };
  } finally {
    await gateway.stop();
  }
}

/** Where as many as may be are open, the next ones wait: the rate is lower then. @returns how many were accepted */
async function openAll(port: number, { rate, seconds, tokens }: ConnectionLoad): Promise<number> {
  let [opened, accepted] = [0, 0];
  const open = new Set<Promise<void>>();
  const start = performance.now();
  while (performance.now() - start < seconds * 1_000) {
    const due = ((performance.now() - start) / 1_000) * rate;
    for (; opened < due && open.size < MOST_OPEN; opened++) {
      const done = isAccepted(port, tokens[opened % tokens.length]).then((is) => {
        if (is) accepted++;
        open.delete(done);
      });
      open.add(done);
    }
    await new Promise((resolve) => setTimeout(resolve, TICK));
  }
  await Promise.all(open);
  return accepted;
}

/** Waits for the gateway's first message; then the connection is reset, so that its port is free again at once. */
function isAccepted(port: number, token: string | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => socket.write(upgradeRequest(port, token)));
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (text.includes('"hello"')) resolve(true);
      else if (text.startsWith("HTTP/1.1 101") || !text.includes("\r\n\r\n")) return;
      socket.resetAndDestroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(false));
  });
}

function upgradeRequest(port: number, token: string | undefined): string {
  const lines = [
    "GET /v1/stream HTTP/1.1",
    `Host: 127.0.0.1:${port}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Protocol: tickgate.v1.json",
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}
