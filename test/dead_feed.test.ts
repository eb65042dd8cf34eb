/** A feed that has ended is stale in the first answer to any client: real processes and Redis. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ServerProcess } from "./support/gateway_process.ts";
import { RedisServer } from "./support/redis_server.ts";
import { WireClient } from "./support/wire_client.ts";

const SYMBOL = "SIM:S0003";
/**
 * The longest time from the last heartbeat of a feed until it is killed, in microseconds: it sends one every half
 * second, or slightly later.
 */
const HEARTBEAT = 800_000;

/** Redis, and processes that end with the test. */
class Stage {
  readonly #redis: RedisServer;
  readonly #processes: ServerProcess[] = [];

  constructor(redis: RedisServer) {
    this.#redis = redis;
  }

  async feed(): Promise<ServerProcess> {
    return this.#open("feed", "--admin-port", "0", "--feed", "sim:?symbols=20&rate=200");
  }

  async gateway(...args: string[]): Promise<ServerProcess> {
    return this.#open("gateway", "--port", "0", "--admin-port", "0", ...args);
  }

  async close(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.close()));
    await this.#redis.stop();
  }

  async #open(command: string, ...args: string[]): Promise<ServerProcess> {
    const process = await ServerProcess.open(command, "--redis-url", this.#redis.url, ...args);
    this.#processes.push(process);
    return process;
  }
}

async function stage(body: (stage: Stage) => Promise<void>): Promise<void> {
  const stage = new Stage(await RedisServer.start());
  try {
    await body(stage);
  } finally {
    await stage.close();
  }
}

/** Kills a feed. @returns the earliest and the latest time of its last heartbeat, in microseconds */
async function kill(feed: ServerProcess): Promise<[from: number, to: number]> {
  const from = Date.now() * 1_000 - HEARTBEAT;
  await feed.close();
  return [from, Date.now() * 1_000];
}

/** The state of the symbol in one HTTP answer; undefined if it is still unknown. */
async function stateOverHttp(gateway: ServerProcess): Promise<string> {
  const answer = await gateway.get(`/v1/ticks?symbols=${SYMBOL}`);
  if (answer.status !== 200) return String(answer.status);
  const { ticks } = (await answer.json()) as { ticks: { state: string }[] };
  return ticks[0]?.state ?? "unknown";
}

/**
 * Subscribes, and waits for the symbol's first tick. @returns since when it is stale; the status came before the tick
 */
async function staleSince(gateway: ServerProcess): Promise<number> {
  const client = await WireClient.open(gateway.url);
  client.say({ op: "subscribe", symbols: [SYMBOL] });
  await client.until(() => client.ticks.length > 0, "a tick");
  const said = client.order.indexOf("status");
  assert.ok(said >= 0 && said < client.order.indexOf("tick"), `the state comes before the tick: ${client.order}`);
  const statuses = client.controls.filter((message) => message.op === "status");
  assert.deepEqual([...new Set(statuses.map(({ state }) => state))], ["stale"]);
  // Before the store has been read the symbol is unknown.
  const status = statuses[statuses.length - 1];
  client.socket.close();
  assert.equal(status.reason, "nothing heard from the feed");
  return status.since;
}

/** Waits until the gateway is ready. @returns the states of the symbol in HTTP answers until then */
async function statesUntilReady(gateway: ServerProcess): Promise<Set<string>> {
  const states = new Set<string>();
  for (;;) {
    states.add(await stateOverHttp(gateway));
    if ((await gateway.admin("/readyz")).status === 200) return states;
    // At most 100 requests a second: more than 500 of one address are refused.
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Waits until the gateway is subscribed to no shard any more. */
async function untilIdle(gateway: ServerProcess): Promise<void> {
  for (;;) {
    const report = (await (await gateway.admin("/status.json")).json()) as { feeds: { heard: unknown }[] };
    if (report.feeds.every(({ heard }) => heard === null)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("a killed feed is stale in the first answer of a gateway that was not subscribed since", async () => {
  await stage(async (stage) => {
    const [feed, gateway] = [await stage.feed(), await stage.gateway("--bus-linger", "0")];
    await gateway.known(SYMBOL);
    await untilIdle(gateway);
    const [from, to] = await kill(feed);
    const asked = performance.now();
    assert.equal(await stateOverHttp(gateway), "stale");
    assert.ok(performance.now() - asked < 1_000, "within the time that a request waits");
    const since = await staleSince(gateway);
    assert.ok(Number.isInteger(since) && since >= from && since <= to, `${since} is not between ${from} and ${to}`);
  });
});

test("an active feed is live in the first answer of a gateway that was not subscribed", async () => {
  await stage(async (stage) => {
    const [, gateway] = [await stage.feed(), await stage.gateway("--bus-linger", "0")];
    await gateway.known(SYMBOL);
    await untilIdle(gateway);
    assert.equal(await stateOverHttp(gateway), "live");
  });
});

test("with an ended feed a starting gateway reports live to no client, and is ready after it has waited for the feed", async () => {
  await stage(async (stage) => {
    const first = await stage.gateway();
    const feed = await stage.feed();
    await first.known(SYMBOL);
    const [from, to] = await kill(feed);
    const gateway = await stage.gateway();
    const asked = performance.now();
    const [states, since] = await Promise.all([statesUntilReady(gateway), staleSince(gateway)]);
    assert.ok(performance.now() - asked > 1_000, "it waits for a silence of two seconds");
    assert.deepEqual([...states], ["stale"]);
    assert.ok(Number.isInteger(since) && since >= from && since <= to, `${since} is not between ${from} and ${to}`);
    assert.equal(await stateOverHttp(gateway), "stale");
  });
});

test("with an active feed a gateway is ready with live prices within a heartbeat", async () => {
  await stage(async (stage) => {
    const first = await stage.gateway();
    await stage.feed();
    await first.known(SYMBOL);
    const gateway = await stage.gateway();
    await statesUntilReady(gateway);
    assert.equal(await stateOverHttp(gateway), "live");
  });
});
