/**
 * The peer `ws`: a broadcast to the symbol's subscribers, as in the section "Server broadcast" of its readme. The
 * publisher encodes each tick once. `perMessageDeflate` is off, its default.
 *
 *     node servers/ws.ts REDIS-URL
 */
import { Redis } from "ioredis";
import WebSocket, { WebSocketServer } from "ws";
import { CHANNEL, readTicks } from "../redis_ticks.ts";
import { listening } from "./listening.ts";

const subscribers = new Map<string, Set<WebSocket>>();

const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
server.on("listening", () => listening((server.address() as { port: number }).port));
server.on("connection", (client) => {
  const symbols = new Set<string>();
  client.on("error", () => client.terminate());
  client.on("message", (message) => {
    for (const symbol of JSON.parse(message.toString()) as string[]) {
      let clients = subscribers.get(symbol);
      if (!clients) {
        clients = new Set();
        subscribers.set(symbol, clients);
      }
      clients.add(client);
      symbols.add(symbol);
    }
  });
  client.on("close", () => {
    for (const symbol of symbols) subscribers.get(symbol)?.delete(client);
  });
});

const redis = new Redis(process.argv[2]);
redis.on("messageBuffer", (_channel: Buffer, message: Buffer) =>
  readTicks(message, (symbol, payload) => {
    for (const client of subscribers.get(symbol) ?? [])
      if (client.readyState === WebSocket.OPEN) client.send(payload, { binary: true });
  }),
);
await redis.subscribe(CHANNEL);
