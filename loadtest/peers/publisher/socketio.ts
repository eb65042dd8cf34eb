/** Ticks to Socket.IO through its Redis emitter (page "Redis adapter", section "Emitter"). */
import { Emitter } from "@socket.io/redis-emitter";
import { Redis } from "ioredis";
import { arrayTick } from "../payload.ts";
import type { Transport } from "./transport.ts";

/**
 * @param url of Redis
 * @param isVolatile drop messages that a client is not ready for (page "Emitting events", section "Volatile events")
 */
export async function socketioTransport(url: string, isVolatile: boolean): Promise<Transport> {
  const emitter = new Emitter(new Redis(url, { enableAutoPipelining: true }));
  return {
    tick(symbol, number, seq, eventTime, values) {
      const rooms = isVolatile ? emitter.volatile : emitter;
      rooms.to(symbol).emit("tick", arrayTick(number, seq, eventTime, values));
    },
    flush() {},
  };
}
