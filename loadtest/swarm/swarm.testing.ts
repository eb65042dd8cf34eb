/** A swarm against a fake server, for tests. */
import assert from "node:assert/strict";
import { FakeServer, INTERVAL, type Script, SYMBOLS } from "./fake_server.testing.ts";
import type { Plan } from "./plan.ts";
import { Swarm } from "./swarm.ts";
import { createProtocol } from "./tickgate_protocol.ts";

const TIMEOUT = 10_000;

export function planOf(port: number, more: Partial<Plan> = {}): Plan {
  return {
    ...{ host: "127.0.0.1", port, secure: false, market: SYMBOLS, connections: 1, perConnection: 2, rate: 1_000 },
    protocol: { module: "", settings: {} },
    ...{ slow: 0, slowBytes: 512, stalled: 0, stallSeconds: 0, freshBound: 60_000, clockOffset: 0, churn: 0 },
    processes: 1,
    ...more,
  };
}

/** Opens a swarm against a server with a script, and then runs `check`. */
export async function against<T>(
  script: Script,
  check: (swarm: Swarm, server: FakeServer) => T | Promise<T>,
  more: Partial<Plan> = {},
  settings: Plan["protocol"]["settings"] = {},
): Promise<T> {
  const server = await FakeServer.start(script);
  const made = planOf(server.port, more);
  const { market, connections, perConnection } = made;
  const protocol = createProtocol({
    market,
    connections,
    perConnection,
    settings: { interval: INTERVAL, ...settings },
  });
  const swarm = new Swarm({ plan: made, first: 0, connections }, protocol);
  try {
    await swarm.open();
    swarm.startCounting();
    return await check(swarm, server);
  } finally {
    await swarm.close();
    server.stop();
  }
}

export async function until(isDone: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + TIMEOUT;
  while (!isDone()) {
    assert.ok(performance.now() < deadline, `waited for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export const faultsOf = (swarm: Swarm) => swarm.result().faults.map(({ name }) => name);
