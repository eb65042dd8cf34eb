/**
 * A program for the test of a thousand reconnects: `node --expose-gc reconnecting.ts URL WS COUNT`. It follows
 * prices from a gateway that cuts every connection, and prints as JSON the memory and handles that it holds after a
 * tenth of them and at the end.
 */
import { WebSocket as WsSocket } from "ws";
import { TickgateClient } from "../../src/client/client.ts";

const [url, ws, count] = process.argv.slice(2);

/** The memory and the active handles of the process after garbage collection. */
async function held(): Promise<Record<string, number>> {
  // Sockets that were closed need time to end.
  let heap = Number.POSITIVE_INFINITY;
  // Objects that one collection finalizes are freed by the next; ticks continue meanwhile.
  for (let round = 0; round < 4; round++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    globalThis.gc?.();
    heap = Math.min(heap, process.memoryUsage().heapUsed);
  }
  const counts: Record<string, number> = { heap };
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

const client = new TickgateClient(url, {
  // Below the range of Math.random, so that no wait is longer than a few milliseconds.
  random: () => -0.9998,
  ...(ws === "ws" ? { WebSocket: WsSocket } : {}),
});
let ticks = 0;
client.on("tick", () => ticks++);
client.subscribe("V:*", { interval: 0 }, () => {});
const hidden = client.subscribe(["V:001", "V:002"], { interval: 50, fields: ["bid"] });
hidden.hide(["V:002"]);
(async () => {
  for await (const _quote of client.subscribe("V:003"));
})();

const untilReconnects = (goal: number) =>
  new Promise<void>((resolve) => {
    const stop = client.on("connection", () => {
      if (client.stats.reconnects < goal) return;
      stop();
      resolve();
    });
  });

await untilReconnects(Number(count) / 10);
const early = await held();
await untilReconnects(Number(count));
const late = await held();
const quotes = client.quotes.size;
client.close();
const closed = await held();
process.stdout.write(JSON.stringify({ early, late, closed, quotes, ticks, reconnects: client.stats.reconnects }));
// Handles that stay open are in the counts above.
process.exit();
