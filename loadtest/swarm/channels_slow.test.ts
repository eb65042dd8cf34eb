/** The checks of trades and books: for each a server that breaks it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Client, HANDLES, INTERVAL, type Script, SYMBOLS } from "./fake_server.testing.ts";
import { FAULTS } from "./faults.ts";
import type { StreamChannel } from "./protocol.ts";
import { against, faultsOf, until } from "./swarm.testing.ts";
import type { Swarm } from "./swarm.ts";

const SETTINGS = { trades: 1, books: 1 };
const [SYMBOL] = SYMBOLS;

const time = () => Date.now() * 1_000 - 0.5;
const trade = (seq: number, price = 100.5, size: unknown = 2, side = 1, id: unknown = `t${seq}`) => [
  ...[HANDLES.trade, seq, time(), price, size, side, id],
];
const book = (seq: number, bids: unknown[] = [100, 1, 99, 2], asks: unknown[] = [101, 3]) => [
  ...[HANDLES.book, seq, time(), bids, asks],
];
const gap = (client: Client, more: Record<string, unknown>, channel: StreamChannel = "trade") =>
  client.control({ op: "status", channel, symbols: [SYMBOL], state: "gap", since: 0, ...more });
/** Levels of the asks. */
const asks = (levels: number) => Array.from({ length: levels }, (_, level) => [101 + level, 1]).flat();

/** Gives the first quotes, and plays one channel. The last message arrives after all others. */
function scriptOf(channel: StreamChannel, play: Script["playChannel"], more: Partial<Script> = {}): Script {
  return {
    play: (client, grants) => {
      if (grants === 0) client.frame(0, client.tick(0, 1), client.tick(1, 1));
    },
    playChannel: (client, which, grants, handle) => {
      if (which !== channel) return;
      play?.(client, which, grants, handle);
      client.control({ op: "quality", state: "realtime", reason: "server", interval: INTERVAL });
    },
    ...more,
  };
}

type Breaker = [fault: keyof typeof FAULTS, play: (client: Client) => void, more?: Partial<Script>];

const past = (count: number): Partial<Script> => ({
  channelGrant: (channel) => (channel === "trade" ? { symbols: [[SYMBOL, HANDLES.trade, count]] } : {}),
});

const TRADES: Breaker[] = [
  ["tradeLost", (client) => client.frame(0, trade(4), trade(6))],
  [
    "tradeLost",
    (client) => {
      client.frame(0, trade(4));
      gap(client, { reason: "missed", missed: 2 });
      client.frame(100, trade(8));
    },
  ],
  ["tradeBack", (client) => client.frame(0, trade(4), trade(4))],
  ["tradeBack", (client) => client.frame(0, trade(4), trade(3))],
  ["notATrade", (client) => client.frame(0, trade(4, 1, 0))],
  ["notATrade", (client) => client.frame(0, trade(4, 1, 1, 2))],
  ["notATrade", (client) => client.frame(0, trade(4, null as unknown as number))],
  ["unreadable", (client) => client.frame(0, trade(4).slice(0, -1))],
  ["unreadable", (client) => client.frame(0, trade(4, 1, 1, 1, 5))],
  ["notGranted", (client) => client.frame(0, trade(4).with(0, 15))],
  ["notCounted", (client) => client.frame(0, trade(4.5))],
  [
    "tooSoon",
    (client) => {
      client.frame(0, trade(4));
      client.frame(INTERVAL - 0.01, trade(5));
    },
  ],
  ["tooManyPast", () => {}, past(11)],
  [
    "gapInPast",
    (client) => {
      client.frame(0, trade(4));
      gap(client, { reason: "missed", missed: 1 });
      client.frame(100, trade(6));
    },
    past(2),
  ],
  ["noMissed", (client) => gap(client, { reason: "missed", missed: null })],
  ["interval", () => {}, { channelGrant: (channel) => (channel === "trade" ? { interval: INTERVAL - 1 } : {}) }],
  [
    "rejected",
    () => {},
    { channelGrant: (channel) => (channel === "trade" ? { rejected: [{ symbol: SYMBOL, code: "internal" }] } : {}) },
  ],
];

const BOOKS: Breaker[] = [
  ["notABook", (client) => client.frame(0, book(4, [100, 1, 99]))],
  ["notABook", (client) => client.frame(0, book(4, [100, 0]))],
  ["notABook", (client) => client.frame(0, book(4, [null, 1]))],
  ["tooDeep", (client) => client.frame(0, book(4, [], asks(11)))],
  ["unordered", (client) => client.frame(0, book(4, [99, 1, 100, 1]))],
  ["unordered", (client) => client.frame(0, book(4, [], [102, 1, 101, 1]))],
  ["unordered", (client) => client.frame(0, book(4, [], [102, 1, 102, 1]))],
  ["crossed", (client) => client.frame(0, book(4, [101, 1]))],
  ["twice", (client) => client.frame(0, book(4), book(5))],
  [
    "tooSoon",
    (client) => {
      client.frame(0, book(4));
      client.frame(INTERVAL - 0.01, book(5));
    },
  ],
  [
    "wentBack",
    (client) => {
      client.frame(0, book(4));
      gap(client, { reason: "missed" }, "book");
      client.frame(100, book(3));
    },
  ],
  [
    "repeated",
    (client) => {
      client.frame(0, book(4));
      client.frame(100, book(4));
    },
  ],
  ["unreadable", (client) => client.frame(0, book(4).slice(0, -1))],
  ["unreadable", (client) => client.frame(0, book(4).with(3, 7))],
  ["depth", () => {}, { channelGrant: (channel) => (channel === "book" ? { depth: 5 } : {}) }],
  [
    "moved",
    () => {},
    {
      channelGrant: (channel) =>
        channel === "book"
          ? {
              symbols: [
                [SYMBOL, 30],
                [SYMBOL, 31],
              ],
            }
          : {},
    },
  ],
];

for (const [channel, breakers] of [
  ["trade", TRADES],
  ["book", BOOKS],
] as const)
  for (const [index, [key, play, more]] of breakers.entries())
    test(`${channel} ${index}: ${FAULTS[key]}`, async () => {
      const check = async (swarm: Swarm) => {
        await until(() => swarm.result().notes.some(([name]) => name.startsWith("quality")), "the end of the script");
        assert.deepEqual(faultsOf(swarm), [FAULTS[key]]);
      };
      await against(scriptOf(channel, play, more), check, {}, SETTINGS);
    });

for (const [channel, tick] of [
  ["trade", trade],
  ["book", book],
] as const)
  test(`a ${channel} after unsubscribed`, async () => {
    const script = scriptOf(
      channel,
      (client, _channel, grants) => {
        if (grants === 0) client.frame(0, tick(1));
      },
      {
        endChannel: (client, which) => {
          if (which === channel) client.frame(500, tick(2));
        },
      },
    );
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

test("a server that keeps its promises: past trades, gaps, resets, several frames of one interval, renewed grants", async () => {
  let play = () => {};
  const script: Script = scriptOf(
    "trade",
    (client, _channel, grants) => {
      if (grants > 0) return client.frame(1_000 * grants, trade(1), trade(2));
      client.frame(0, trade(4), trade(5));
      play = () => {
        client.frame(100, trade(6), trade(7));
        gap(client, { reason: "missed", missed: 3 });
        // A trade that follows a gap may come at once.
        client.frame(100, trade(11, -0.5, 0.25, -1, null), trade(12, 7, 1, 0, "x".repeat(36)));
        const many = Array.from({ length: 60 }, (_, index) => trade(13 + index));
        client.frame(200, ...many);
        client.frame(200.5, trade(73));
        gap(client, { reason: "reset", missed: null });
        client.frame(300, trade(1), trade(2));
        client.frame(300, book(5, [], []).with(2, time()));
        client.frame(400, book(7, [-1, 1, -2, 1], [0.5, 1]), trade(3).with(0, HANDLES.trade).with(1, 3));
        gap(client, { reason: "missed" }, "book");
        client.frame(500, book(7));
        gap(client, { reason: "reset" }, "book");
        client.frame(600, book(2, [100, 1], asks(10)));
      };
    },
    past(2),
  );
  await against(
    script,
    async (swarm) => {
      play();
      await until(() => swarm.result().classes.healthy.books === 4, "the books");
      const { trades, missed, books } = swarm.result().classes.healthy;
      assert.deepEqual([faultsOf(swarm), trades, missed, books], [[], 68, 3, 4]);
      assert.equal(swarm.streamsBehind("trade", Float64Array.of(3, 0)).count, 0);
      assert.match(swarm.streamsBehind("trade", Float64Array.of(4, 0)).examples[0], /FAKE:A trade at seq 3/);
      assert.equal(swarm.streamsBehind("book", Float64Array.of(3, 0)).count, 1);
    },
    {},
    SETTINGS,
  );
});

test("unsubscribed and subscribed again, trades and books continue with new snapshots", async () => {
  let renewed = 0;
  const script = scriptOf("book", (client, _channel, grants) => {
    client.frame(grants * 1_000, book(4 + grants));
    renewed = grants;
  });
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

test("books with other levels than the market's are found", async () => {
  let play = () => {};
  const script = scriptOf("book", (client) => {
    client.frame(0, book(1));
    play = () => client.frame(100, book(2, [100, 1.5], [101, 3]));
  });
  await against(
    script,
    async (swarm) => {
      swarm.settle();
      play();
      await until(() => swarm.streamsBehind("book", Float64Array.of(2, 0)).count === 0, "the book");
      const compare = (...levels: number[]) => swarm.contents("book", Float64Array.of(2, 0), new Map([[0, levels]]));
      assert.deepEqual(compare(100, 1.5, 101, 3), { compared: 1, count: 0, examples: [] });
      assert.equal(compare(100, 1.5, 101, 4).count, 1);
      assert.equal(compare(100, 1.5).count, 1);
      assert.equal(swarm.contents("book", Float64Array.of(3, 0), new Map([[0, [1, 1]]])).compared, 0);
    },
    {},
    SETTINGS,
  );
});
