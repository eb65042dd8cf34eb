/** How far another machine's clock is off from ours, as the protocol's own ping and pong tell it. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { type Clock, SystemClock } from "../src/clock.ts";
import { UsageError } from "../src/option.ts";

/** Pings that are sent, and the pause between them, ms: below the commands that a connection may give. */
const PINGS = 20;
const PAUSE = 30;
const PATIENCE = 10_000;

/** Microseconds. */
export interface ClockOffset {
  /** What the other clock is ahead of ours. */
  readonly offset: number;
  /** By how much that may be wrong: the half of the shortest round trip. */
  readonly error: number;
}

/** One ping and its pong: ours when it was sent and when it came back, and the other side's in between. */
export interface Sample {
  readonly sent: number;
  readonly received: number;
  readonly time: number;
}

/** The offset of the sample with the shortest way: the less it waited, the nearer `time` is to the middle. */
export function offsetOf(samples: readonly Sample[]): ClockOffset {
  const way = ({ sent, received }: Sample) => received - sent;
  const best = samples.reduce((one, other) => (way(other) < way(one) ? other : one));
  return { offset: Math.round(best.time - (best.sent + best.received) / 2), error: way(best) / 2 };
}

/**
 * Measures it on a connection of its own.
 * @throws UsageError when there is no gateway
 */
export async function clockOffset(url: string, clock: Clock = new SystemClock()): Promise<ClockOffset> {
  const socket = new WebSocket(url, ["tickgate.v1.json"], { handshakeTimeout: PATIENCE });
  const signal = AbortSignal.timeout(PATIENCE);
  const samples: Sample[] = [];
  try {
    await once(socket, "message", { signal });
    for (let ping = 0; ping < PINGS; ping++) {
      const sent = clock.micros();
      socket.send(JSON.stringify({ op: "ping" }));
      const [data] = (await once(socket, "message", { signal })) as [Buffer];
      const message = JSON.parse(data.toString()) as { op: string; time: number };
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

/** Whether a host is this machine, whose clock is ours. */
export function isLocal(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127(\.\d+){3}$/.test(host);
}
