/** Ticks to Redis, for `ws` and uWebSockets.js. */
import { Redis } from "ioredis";
import { msgpackTick } from "../payload.ts";
import { CHANNEL, TickWriter } from "../redis_ticks.ts";
import type { Transport } from "./transport.ts";

/** @param url of Redis */
export async function redisTransport(url: string): Promise<Transport> {
  const redis = new Redis(url);
  const writer = new TickWriter();
  return {
    tick: (symbol, number, seq, eventTime, values) => writer.add(symbol, msgpackTick(number, seq, eventTime, values)),
    flush: () => redis.publish(CHANNEL, writer.take()),
  };
}
