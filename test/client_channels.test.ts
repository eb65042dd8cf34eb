/** The client library's tapes and books at a real gateway. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BOOKS } from "../src/client/books.ts";
import { TickgateClient } from "../src/client/client.ts";
import { TRADES } from "../src/client/trades.ts";
import { GatewayProcess, polled } from "./support/gateway_process.ts";

test("a tape has the latest trades first, then each new one once; a book is the feed's", async (t) => {
  const gateway = await GatewayProcess.open();
  t.after(() => gateway.close());
  const send = (first: number, last: number) => {
    for (let id = first; id <= last; id++) gateway.ticks([{ symbol: "V:A", trade: { price: id, size: 1, id } }]);
  };
  send(1, 50);
  gateway.ticks([{ symbol: "V:A", book: { bids: [[10, 1]], asks: [[11, 2]] } }]);
  await polled(
    async () => (await (await gateway.get("/v1/trades?symbol=V:A&last=1")).text()).includes('"50"'),
    (isThere) => isThere,
    "the first trades",
  );
  const client = new TickgateClient(gateway.url);
  t.after(() => client.close());
  const ids: (string | null | undefined)[] = [];
  const tapes = client.subscribe("V:*", { channel: TRADES, last: 20, interval: 0 }, (_tape, trade) => {
    if (trade) ids.push(trade.id);
  });
  const books = client.subscribe("V:A", { channel: BOOKS, depth: 1 });
  const until = (id: number) =>
    polled(
      async () => ids.at(-1),
      (last) => last === String(id),
      `trade ${id}`,
    );
  await until(50);
  send(51, 300);
  await until(300);
  assert.deepEqual(
    ids,
    Array.from({ length: 270 }, (_, index) => String(index + 31)),
  );
  const tape = tapes.views.get("V:A");
  assert.deepEqual(
    tape?.trades.map(({ id }) => id),
    ids.slice(-20),
  );
  assert.deepEqual([tape?.state, tape?.missed], ["live", 0]);
  const book = await polled(
    async () => books.views.get("V:A"),
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
  assert.ok(Object.values(client.violations).every((count) => count === 0));
});
