/**
 * The peer uWebSockets.js: its own topics, one per symbol, and one `publish` per tick, with default options
 * (`maxBackpressure` 64 KiB: above it, a connection's messages are skipped).
 *
 *     node servers/uws.ts REDIS-URL
 */
import { Redis } from "ioredis";
import { CHANNEL, readTicks } from "../redis_ticks.ts";
import { serve } from "./topics.ts";

const app = serve();
const redis = new Redis(process.argv[2]);
redis.on("messageBuffer", (_channel: Buffer, message: Buffer) =>
  readTicks(message, (symbol, payload) => app.publish(symbol, payload, true)),
);
await redis.subscribe(CHANNEL);
