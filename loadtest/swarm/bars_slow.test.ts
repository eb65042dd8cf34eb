/** The checks of bars: for each a server that breaks it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { GatewayProcess } from "../../test/support/gateway_process.ts";
import { Market } from "../market.ts";
import { COMPARED_BARS } from "./bar_stream.ts";
import { type Client, HANDLES, INTERVAL, type Script, SYMBOLS } from "./fake_server.testing.ts";
import { FAULTS } from "./faults.ts";
import { against, faultsOf, planOf, until } from "./swarm.testing.ts";
import { Swarm } from "./swarm.ts";
import { createProtocol } from "./tickgate_protocol.ts";

const SETTINGS = { bars: 1 };
const [SYMBOL] = SYMBOLS;
const SECOND = 1_000_000;
const START = Math.floor(Date.now() / 1_000) * SECOND - 100 * SECOND;
const [FORMING, CLOSED, CORRECTED] = [0, 1, 3];

/** The bar of the n-th second. @param own open, high, low, close, volume, trades */
const bar = (seq: number, second: number, flags = FORMING, own: unknown[] = [10, 12, 9, 11, 5, 3]) => [
  ...[HANDLES.bar, seq, START + second * SECOND, ...own, flags],
];
const gap = (client: Client, reason: string) =>
  client.control({
    ...{ op: "status", channel: "bar", resolution: "1s", symbols: [SYMBOL], state: "gap", reason, since: 0 },
  });

/** Gives the first quotes, and plays bars. The last message arrives after all others. */
function scriptOf(play: (client: Client, grants: number) => void, more: Partial<Script> = {}): Script {
  return {
    play: (client, grants) => {
      if (grants === 0) client.frame(0, client.tick(0, 1), client.tick(1, 1));
    },
    playChannel: (client, _channel, grants) => {
      play(client, grants);
      client.control({ op: "quality", state: "realtime", reason: "server", interval: INTERVAL });
    },
    ...more,
  };
}

const past = (count: number): Partial<Script> => ({
  channelGrant: () => ({ symbols: [[SYMBOL, HANDLES.bar, count]] }),
});

type Breaker = [fault: keyof typeof FAULTS, play: (client: Client) => void, more?: Partial<Script>];

/** Frames at the ends of intervals. */
const inTurn =
  (...ticks: unknown[][]) =>
  (client: Client) => {
    for (const [index, tick] of ticks.entries()) client.frame(index * INTERVAL, tick);
  };

const BREAKERS: Breaker[] = [
  ["barNotWhole", inTurn(bar(1, 0, FORMING, [10, 9.5, 9, 9.2, 5, 3]))],
  ["barNotWhole", inTurn(bar(1, 0, FORMING, [10, 12, 9, 12.5, 5, 3]))],
  ["barNotWhole", inTurn(bar(1, 0, FORMING, [10, 12, 10.5, 11, 5, 3]))],
  ["barNotWhole", inTurn(bar(1, 0, FORMING, [10, 12, 9, 8, 5, 3]))],
  ["barNotWhole", inTurn(bar(1, 0, FORMING, [10, 12, null, 11, 5, 3]))],
  ["barNotWhole", inTurn(bar(1, 0, FORMING, [10, 12, 9, 11, 0, 3]))],
  ["barNotWhole", inTurn(bar(1, 0, FORMING, [10, 12, 9, 11, 5, 0]))],
  ["barNotWhole", inTurn(bar(1, 0, FORMING, [10, 12, 9, 11, 5, 1.5]))],
  ["barStart", inTurn(bar(1, 0.5))],
  ["barFlags", inTurn(bar(1, 0, 8))],
  ["barFlags", inTurn(bar(1, 0, 2))],
  ["barFlags", inTurn(bar(1, 0, 0.5))],
  ["barCount", inTurn(bar(1.5, 0))],
  ["barBack", inTurn(bar(2, 0), bar(2, 1))],
  ["barBack", inTurn(bar(2, 0), bar(1, 1))],
  [
    "barBack",
    (client) => {
      client.frame(0, bar(2, 0));
      gap(client, "missed");
      client.frame(100, bar(1, 1));
    },
  ],
  ["barTooMany", () => {}, past(11)],
  ["barPast", inTurn(bar(0, 0))],
  // One too few, and one too many.
  ["barPast", (client) => client.frame(0, bar(0, 0, CLOSED), bar(4, 1)), past(3)],
  ["barPast", (client) => client.frame(0, bar(0, 0, CLOSED), bar(0, 1, CLOSED), bar(4, 2)), past(1)],
  ["barPast", (client) => client.frame(0, bar(0, 0, CLOSED), bar(0, 1)), past(2)],
  ["barOrder", (client) => client.frame(0, bar(0, 1, CLOSED), bar(4, 0, CLOSED)), past(2)],
  ["barOrder", (client) => client.frame(0, bar(0, 1, CLOSED), bar(4, 1, CLOSED)), past(2)],
  ["barAgain", inTurn(bar(1, 0), bar(2, 0, CLOSED), bar(3, 0, CLOSED))],
  ["barAgain", (client) => client.frame(0, bar(0, 0, CLOSED), bar(4, 1), bar(5, 0, CLOSED)), past(2)],
  ["barReopened", inTurn(bar(1, 0, CLOSED), bar(2, 0))],
  ["barShrank", inTurn(bar(1, 0), bar(2, 0, FORMING, [10, 12, 9, 11, 4, 3]))],
  ["barShrank", inTurn(bar(1, 0), bar(2, 0, FORMING, [10, 12, 9, 11, 5, 2]))],
  ["barOpen", inTurn(bar(1, 0), bar(2, 1), bar(3, 1, CLOSED), bar(4, 2))],
  [
    "tooSoon",
    (client) => {
      client.frame(0, bar(1, 0));
      client.frame(INTERVAL - 0.01, bar(2, 0));
    },
  ],
  ["unreadable", inTurn(bar(1, 0).slice(0, -1))],
  ["unreadable", inTurn(bar(1, 0).with(5, "x"))],
  ["notGranted", inTurn(bar(1, 0).with(0, 35))],
  ["resolution", () => {}, { channelGrant: () => ({ resolution: "1m" }) }],
  ["interval", () => {}, { channelGrant: () => ({ interval: INTERVAL - 1 }) }],
  ["rejected", () => {}, { channelGrant: () => ({ rejected: [{ symbol: SYMBOL, code: "internal" }] }) }],
  [
    "moved",
    () => {},
    {
      channelGrant: () => ({
        symbols: [
          [SYMBOL, 30, 0],
          [SYMBOL, 31, 0],
        ],
      }),
    },
  ],
];

for (const [index, [key, play, more]] of BREAKERS.entries())
  test(`bar ${index}: ${FAULTS[key]}`, async () => {
    const check = async (swarm: Swarm) => {
      await until(() => swarm.result().notes.some(([name]) => name.startsWith("quality")), "the end of the script");
      assert.deepEqual(faultsOf(swarm), [FAULTS[key]]);
    };
    await against(scriptOf(play, more), check, {}, SETTINGS);
  });

test("a bar after unsubscribed", async () => {
  const script = scriptOf((client, grants) => grants === 0 && client.frame(0, bar(1, 0)), {
    endChannel: (client) => client.frame(500, bar(2, 0)),
  });
  await against(
    script,
    async (swarm) => {
      await until(() => faultsOf(swarm).length > 0, "the fault");
      assert.deepEqual(faultsOf(swarm), [FAULTS.unsubscribed]);
    },
    { churn: 20 },
    SETTINGS,
  );
});

test("a server that keeps its promises: past bars, corrections, gaps, resets, full frames, renewed grants", async () => {
  const more = [10, 12, 9, 11, 6, 4];
  let [play, renewed] = [() => {}, 0];
  const script = scriptOf((client, grants) => {
    renewed = grants;
    // What was forming may have been left out meanwhile.
    if (grants > 0) return client.frame(10_000 * grants, bar(0, 8, CLOSED), bar(20, 9));
    client.frame(0, bar(0, 0, CLOSED), bar(4, 1));
    play = () => {
      client.frame(100, bar(7, 1, FORMING, more));
      client.frame(200, bar(8, 1, CLOSED, more), bar(9, 2));
      client.frame(300, bar(12, 0, CORRECTED, more), bar(13, 2));
      // Closed after the one that follows it, since it was corrected meanwhile.
      client.frame(400, bar(15, 3, CLOSED), bar(16, 2, CORRECTED, more));
      const many = Array.from({ length: 30 }, (_, index) => bar(17 + index, 4 + index, CLOSED));
      client.frame(500, ...many);
      client.frame(500.5, bar(47, 34));
      gap(client, "missed");
      client.frame(501, bar(47, 34));
      gap(client, "reset");
      client.frame(600, bar(0, 13), bar(2, 14));
      client.frame(700, bar(3, 14, 5));
    };
  }, past(2));
  await against(
    script,
    async (swarm) => {
      play();
      await until(() => swarm.result().classes.healthy.bars === 42, "the bars");
      assert.deepEqual(faultsOf(swarm), []);
      assert.equal(swarm.streamsBehind("bar", Float64Array.of(3, 0)).count, 0);
      assert.match(swarm.streamsBehind("bar", Float64Array.of(4, 0)).examples[0], /FAKE:A bar at seq 3/);
    },
    {},
    SETTINGS,
  );
  await against(
    script,
    async (swarm) => {
      await until(() => renewed >= 2, "new grants");
      assert.deepEqual(faultsOf(swarm), []);
    },
    { churn: 20 },
    SETTINGS,
  );
});

test("bars of another resolution; bars that are others than the market's are found", async () => {
  const MINUTE = 60 * SECOND;
  const start = Math.floor(START / MINUTE) * MINUTE;
  const tick = [HANDLES.bar, 5, start, 10, 12, 9, 11, 5, 3, 4];
  let play = () => {};
  const script = scriptOf((client) => {
    play = () => client.frame(0, tick);
  });
  await against(
    script,
    async (swarm) => {
      swarm.settle();
      play();
      await until(() => swarm.streamsBehind("bar", Float64Array.of(5, 0)).count === 0, "the bar");
      const compare = (...values: number[]) =>
        swarm.contents("bar", Float64Array.of(5, 0), new Map([[0, [start, ...values]]]));
      assert.deepEqual(compare(10, 12, 9, 11, 5, 3, 4), { compared: 1, count: 0, examples: [] });
      assert.equal(compare(10, 12, 9, 11, 5, 3, 5).count, 1);
      assert.deepEqual(faultsOf(swarm), []);
    },
    {},
    { ...SETTINGS, resolution: "1m" },
  );
});

test("a real gateway keeps its promises, and its bars are those that it tells over HTTP", async (t) => {
  const gateway = await GatewayProcess.open();
  t.after(() => gateway.close());
  let id = 0;
  const trades = (time: number) =>
    SYMBOLS.map((symbol) => ({ symbol, time, trade: { price: 100 + (++id % 7), size: 0.5, side: "buy", id } }));
  const now = () => Date.now() * 1_000;
  for (const symbol of SYMBOLS) gateway.tick(symbol, { bid: 1 });
  // No bar begins while the swarm subscribes.
  for (let second = 12; second > 0; second--) gateway.ticks(trades(now() - second * SECOND));
  const market = await Market.open(`ws://127.0.0.1:${gateway.port}/v1/stream`, "FAKE:", SYMBOLS.length);
  const state = () => market.channelState("bar", [0, 1], `resolution=1s&last=${COMPARED_BARS}`);
  while (Math.min(...(await state()).seqs) < 12) await sleep(20);
  const connections = 50;
  const plan = planOf(gateway.port, { connections });
  const settings = { ...SETTINGS, bars: 2, interval: INTERVAL };
  const protocol = createProtocol({ market: SYMBOLS, connections, perConnection: 2, settings });
  const swarm = new Swarm({ plan, first: 0, connections }, protocol);
  t.after(() => swarm.close());
  await swarm.open();
  swarm.startCounting();
  for (const end = now() + 2.5 * SECOND; now() < end; await sleep(20)) gateway.ticks(trades(now()));
  swarm.settle();
  // Until the last bar is closed.
  await sleep(2_000);
  const { seqs, contents } = await state();
  assert.equal(swarm.streamsBehind("bar", seqs).count, 0);
  assert.deepEqual(swarm.contents("bar", seqs, contents), { compared: 2 * connections, count: 0, examples: [] });
  assert.deepEqual(faultsOf(swarm), []);
  assert.ok(swarm.result().classes.healthy.bars > connections * 2 * 10);
});
