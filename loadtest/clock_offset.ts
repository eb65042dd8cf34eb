/** Measures the offset of a gateway's clock with the protocol's ping and pong. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { pack, unpack } from "msgpackr";
import { WebSocket } from "ws";
import { type Clock, SystemClock } from "../src/base/clock.ts";
import { UsageError } from "../src/settings/option.ts";
import { type ClockOffset, offsetOf, type Sample } from "./clock_sample.ts";

/** Pings, and the pause between them, ms: below the command rate that a connection may use. */
const PINGS = 20;
const PAUSE = 30;
/** How long all pings together may take, ms. */
const TIMEOUT = 10_000;

/**
 * Opens a connection for the measurement.
 * @throws UsageError when there is no gateway
 */
export async function clockOffset(
  url: string,
  headers: Readonly<Record<string, string>> = {},
  clock: Clock = new SystemClock(),
): Promise<ClockOffset> {
  const socket = new WebSocket(url, ["tickgate.v1.msgpack"], { handshakeTimeout: TIMEOUT, headers });
  const signal = AbortSignal.timeout(TIMEOUT);
  const samples: Sample[] = [];
  try {
    await once(socket, "message", { signal });
    for (let ping = 0; ping < PINGS; ping++) {
      const sent = clock.micros();
      socket.send(pack({ op: "ping" }));
      const [data] = (await once(socket, "message", { signal })) as [Buffer];
      const message = unpack(data) as { op: string; time: number };
      if (message.op === "pong") samples.push({ sent, received: clock.micros(), time: message.time });
      await sleep(PAUSE);
    }
  } catch (error) {
    throw new UsageError(`${url} does not answer as a gateway does: ${(error as Error).message}`, { cause: error });
  } finally {
    socket.terminate();
  }
  return offsetOf(samples);
}
