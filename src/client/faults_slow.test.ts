/** The client with network faults and a real gateway: no wanted tick is lost, and none arrives twice. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { WebSocket as WsSocket } from "ws";
import { freePort, LiveGateway, until } from "../../test/support/client_gateway.ts";
import { FaultProxy } from "../../test/support/fault_proxy.ts";
import { Random } from "../feed/sim/random.ts";
import { type Quote, type SocketConstructor, TickgateClient } from "./client.ts";

const SYMBOLS = Array.from({ length: 200 }, (_, index) => `V:${String(index).padStart(3, "0")}`);
const SOCKETS: [string, SocketConstructor | undefined][] = [
  ["the global WebSocket", undefined],
  ["the package ws", WsSocket],
];
/** The gateway's heartbeat, ms: two without a message make prices stale, three end a connection. */
const HEARTBEAT = 1_000;
/** The most time between two faults, ms. */
const PAUSE = 100;

/** A market that continues while gateways start and stop. */
class Market {
  readonly port: number;
  readonly #random: Random;
  readonly #bids = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;
  gateway!: LiveGateway;

  constructor(t: TestContext, port: number, random: Random) {
    this.port = port;
    this.#random = random;
    for (const symbol of SYMBOLS) this.#bids.set(symbol, 1);
    this.#timer = setInterval(() => this.#tick(), 5);
    t.after(() => this.end());
  }

  async open(): Promise<void> {
    this.gateway = await LiveGateway.open({ port: this.port, heartbeat: HEARTBEAT });
    for (const [symbol, bid] of this.#bids) this.gateway.tick(symbol, bid, bid + 1);
  }

  rest(): void {
    clearInterval(this.#timer);
  }

  end(): void {
    this.rest();
    this.gateway.cut();
  }

  #tick(): void {
    for (let count = 0; count < 5; count++) {
      const symbol = SYMBOLS[Math.floor(this.#random.unit() * SYMBOLS.length)];
      const bid = (this.#bids.get(symbol) as number) + 1;
      this.#bids.set(symbol, bid);
      this.gateway?.tick(symbol, bid, bid + 1);
    }
  }
}

// In parallel: most of the time is waiting.
test("a gateway that is cut off, slow, silent, garbled and restarted", { concurrency: true }, async (t) => {
  await Promise.all(SOCKETS.map(([name, WebSocket]) => t.test(`over ${name}`, (t) => suffer(t, WebSocket))));
});

async function suffer(t: TestContext, WebSocket: SocketConstructor | undefined): Promise<void> {
  const random = new Random(20_240_501);
  const market = new Market(t, await freePort(), random);
  await market.open();
  const proxy = await FaultProxy.open(market.port);
  t.after(() => proxy.close());
  // Below the range of Math.random: waits are a twentieth of the usual ones.
  const client = new TickgateClient(proxy.url, { random: () => -0.9, ...(WebSocket ? { WebSocket } : {}) });
  t.after(() => client.close());

  const seen = new Map<Quote, [seq: number, state: string]>();
  const told = (quote: Quote) => {
    const before = seen.get(quote);
    const now: [number, string] = [quote.seq, quote.state];
    assert.notDeepEqual(now, before, `${quote.symbol} was told twice`);
    seen.set(quote, now);
  };
  const pattern = client.subscribe("V:*", { interval: 100 }, told);
  const named = client.subscribe(SYMBOLS.slice(0, 50), { interval: 0, fields: ["bid"] }, told);
  const hidden = client.subscribe(SYMBOLS.slice(100, 150), { interval: 50, fields: ["ask"] }, told);
  hidden.showOnly(SYMBOLS.slice(100, 110));
  const subscriptions = [pattern, named, hidden];
  let rounds = 0;
  (async () => {
    for await (const _quote of client.subscribe("V:00*", { interval: 20 })) rounds++;
  })();

  const faults: Record<string, { times: number; act: () => void | Promise<void> }> = {
    cut: { times: 8, act: () => proxy.cut() },
    slow: {
      times: 5,
      act: () => {
        proxy.delay = random.unit() * 100;
      },
    },
    cutInAMessage: {
      times: 8,
      act: () => {
        proxy.cutAfter = 200 + Math.floor(random.unit() * 4_000);
        proxy.cut();
      },
    },
    refused: {
      times: 4,
      act: () => {
        proxy.refuses = true;
        proxy.cut();
      },
    },
    garbled: { times: 1, act: () => proxy.lose(1 + Math.floor(random.unit() * 100)) },
    halfOpen: { times: 1, act: () => proxy.silence() },
    restarted: {
      times: 3,
      act: async () => {
        await market.gateway.drain();
        await market.open();
      },
    },
    killed: {
      times: 3,
      act: async () => {
        market.gateway.cut();
        await market.open();
      },
    },
  };
  const order = Object.values(faults).flatMap(({ times, act }) => new Array(times).fill(act));
  while (order.length > 0) {
    const [act] = order.splice(Math.floor(random.unit() * order.length), 1);
    await act();
    await new Promise((resolve) => setTimeout(resolve, random.unit() * PAUSE));
    proxy.refuses = false;
    proxy.cutAfter = Number.POSITIVE_INFINITY;
    // Most faults hit a client that has recovered, the others one that has not.
    if (random.unit() < 0.8) await until(client, () => client.state === "live", "the connection after a fault");
  }
  proxy.delay = 0;
  market.rest();

  await until(client, () => client.state === "live", "the connection");
  const ticks = new Map((await market.gateway.ticks(["V:*"])).map((tick) => [tick.symbol, tick]));
  assert.equal(ticks.size, SYMBOLS.length);
  const isSame = (quote: Quote) => {
    const tick = ticks.get(quote.symbol);
    return quote.state === "live" && quote.seq === tick?.seq && (quote.bid ?? quote.ask) === tick[quote.fields[0]];
  };
  await until(client, () => subscriptions.every(({ quotes }) => [...quotes.values()].every(isSame)), "all prices");
  assert.deepEqual(
    subscriptions.map(({ quotes }) => quotes.size),
    [200, 50, 50],
  );
  // The last delivered tick is the latest one, for visible symbols.
  await until(client, () => [...pattern.quotes.values()].every((quote) => seen.get(quote)?.[0] === quote.seq), "calls");
  assert.ok(rounds > 0);
  const { reconnects } = client.stats;
  assert.ok(reconnects >= 10, `only ${reconnects} reconnects`);
  // The end of a closed connection may not have arrived yet.
  for (let look = 0; proxy.open > 1 && look < 500; look++) await new Promise((resolve) => setTimeout(resolve, 20));
  // One connection, with each symbol once.
  assert.deepEqual([proxy.open, market.gateway.load], [1, { connections: 1, subscriptions: SYMBOLS.length }]);
  for (const [violation, count] of Object.entries(client.violations))
    if (violation !== "malformed") assert.equal(count, 0, violation);
}
