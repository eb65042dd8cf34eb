/** The client library's tapes and books at a real gateway, as sources and as built. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { WebSocket } from "ws";
import { buildClient } from "../scripts/build_client.ts";
import { bars } from "../src/client/bars.ts";
import { TickgateClient } from "../src/client/client.ts";
import { GatewayProcess, polled } from "./support/gateway_process.ts";

/** Where the modules are. All modules of a build have the same short names for what they share. */
const FOLDERS = {
  "the sources": ["../src/client", "client.ts", ".ts"],
  "the build": ["../dist/client", "index.js", ".js"],
};

before(() => buildClient());

async function modulesOf([folder, client, suffix]: readonly string[]) {
  const [{ TickgateClient }, { BOOKS }, { TRADES }] = (await Promise.all(
    [client, `books${suffix}`, `trades${suffix}`].map((name) => import(`${folder}/${name}`)),
  )) as [
    typeof import("../src/client/client.ts"),
    typeof import("../src/client/books.ts"),
    typeof import("../src/client/trades.ts"),
  ];
  return { TickgateClient, BOOKS, TRADES };
}

/** Numbers as the ids of trades. */
function idsOf(first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, index) => String(first + index));
}

for (const [name, files] of Object.entries(FOLDERS))
  test(`${name}: a tape has the latest trades first, then each new one once, across reconnects`, async (t) => {
    const { TickgateClient, BOOKS, TRADES } = await modulesOf(files);
    const gateway = await GatewayProcess.open();
    t.after(() => gateway.close());
    const send = (first: number, last: number) => {
      for (const id of idsOf(first, last))
        gateway.ticks([{ symbol: "V:A", trade: { price: Number(id), size: 1, id } }]);
    };
    const heard = (id: number) =>
      polled(
        async () => (await (await gateway.get("/v1/trades?symbol=V:A&last=1")).text()).includes(`"${id}"`),
        (isThere) => isThere,
        `trade ${id} at the gateway`,
      );
    send(1, 50);
    gateway.ticks([{ symbol: "V:A", book: { bids: [[10, 1]], asks: [[11, 2]] } }]);
    await heard(50);
    const sockets: WebSocket[] = [];
    class Socket extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        sockets.push(this);
      }
    }
    const client = new TickgateClient(gateway.url, { WebSocket: Socket as never });
    t.after(() => client.close());
    const ids: (string | null | undefined)[] = [];
    const gaps: string[] = [];
    const onStatus = (_tape: unknown, state: string, reason: string) => gaps.push(`${state} ${reason}`);
    const tapes = client.subscribe("V:*", { channel: TRADES, last: 20, interval: 0, onStatus }, (_tape, trade) => {
      if (trade) ids.push(trade.id);
    });
    const short = client.subscribe("V:A", { channel: TRADES, last: 5, interval: 1_000 });
    const deep = client.subscribe("V:A", { channel: BOOKS, depth: 5 });
    const best = client.subscribe("V:A", { channel: BOOKS, depth: 1 });
    const until = (id: number) =>
      polled(
        async () => ids.at(-1),
        (last) => last === String(id),
        `trade ${id}`,
      );
    await until(50);
    send(51, 300);
    await until(300);
    assert.deepEqual(ids, idsOf(31, 300));
    const tape = tapes.views.get("V:A");
    const shown = () => [tape, short.views.get("V:A")].map((view) => view?.trades.map(({ id }) => id));
    assert.deepEqual(shown(), [idsOf(281, 300), idsOf(296, 300)], "two tapes share one subscription");
    assert.deepEqual([tape?.state, tape?.missed], ["live", 0]);
    const book = await polled(
      async () => deep.views.get("V:A"),
      (found) => found?.state === "live",
      "a book",
    );
    assert.deepEqual(
      [book?.bids, book?.asks],
      [
        [10, 1],
        [11, 2],
      ],
    );
    gateway.ticks([
      {
        symbol: "V:A",
        book: {
          bids: [
            [9, 1],
            [8, 1],
          ],
          asks: [],
        },
      },
    ]);
    await polled(
      async () => deep.views.get("V:A")?.bids,
      (bids) => bids?.length === 4,
      "the next book",
    );
    assert.deepEqual(best.views.get("V:A")?.bids, [9, 1]);

    // Some trades while there is no connection: the next one has them all. Then more than it has.
    sockets.at(-1)?.terminate();
    await polled(
      async () => tape?.state,
      (state) => state === "stale",
      "a stale tape",
    );
    send(301, 315);
    await heard(315);
    client.connect();
    await until(315);
    assert.deepEqual([ids, tape?.missed, gaps], [idsOf(31, 315), 0, []]);
    sockets.at(-1)?.terminate();
    await polled(
      async () => tape?.state,
      (state) => state === "stale",
      "a stale tape",
    );
    send(316, 345);
    await heard(345);
    client.connect();
    await until(345);
    assert.deepEqual([ids, tape?.missed, gaps], [[...idsOf(31, 315), ...idsOf(326, 345)], 10, ["gap missed"]]);
    await polled(
      async () => [tape?.state, book?.state].join(),
      (states) => states === "live,live",
      "live ones",
    );
    assert.ok(Object.values(client.violations).every((count) => count === 0));
  });

test("a series of bars has the past ones first, and is the gateway's", async (t) => {
  const gateway = await GatewayProcess.open();
  t.after(() => gateway.close());
  const start = Math.floor(Date.now() / 300_000) * 300_000_000 - 600_000_000;
  const send = (first: number, last: number) => {
    for (let id = first; id <= last; id++)
      gateway.ticks([{ symbol: "V:A", time: start + id * 10_000_000, trade: { price: id, size: 1, id } }]);
  };
  send(0, 20);
  const client = new TickgateClient(gateway.url);
  t.after(() => client.close());
  const minutes = client.subscribe("V:A", { channel: bars("1m"), interval: 0 });
  const longer = client.subscribe("V:A", { channel: bars("5m"), interval: 0 });
  const trades = (of: typeof minutes) => (of.views.get("V:A")?.bars ?? []).map((bar) => bar.trades);
  const until = (wanted: string) =>
    polled(
      async () => `${trades(minutes)} ${trades(longer)}`,
      (found) => found === wanted,
      wanted,
    );
  await until("6,6,6,3 21");
  send(21, 35);
  await until("6,6,6,6,6,6 30,6");
  assert.ok(Object.values(client.violations).every((count) => count === 0));
});
