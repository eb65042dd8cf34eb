/**
 * The peer uWebSockets.js: its own topics, a topic a symbol, and one `publish` a tick. All options are its defaults
 * (`maxBackpressure` 64 KiB: over it, a connection's messages are skipped).
 *
 *     node servers/uws.ts REDIS-URL
 */

import { App, us_socket_local_port } from "uWebSockets.js";
import { Redis } from "ioredis";
import { CHANNEL, readTicks } from "../redis_ticks.ts";
import { listening } from "./listening.ts";

const app = App()
  .ws("/*", {
    message(client, message) {
      for (const symbol of JSON.parse(Buffer.from(message).toString()) as string[]) client.subscribe(symbol);
    },
  })
  .listen("127.0.0.1", 0, (socket) => {
    if (!socket) throw new Error("no port could be opened");
    listening(us_socket_local_port(socket));
  });

const redis = new Redis(process.argv[2]);
redis.on("messageBuffer", (_channel: Buffer, message: Buffer) =>
  readTicks(message, (symbol, payload) => app.publish(symbol, payload, true)),
);
await redis.subscribe(CHANNEL);
