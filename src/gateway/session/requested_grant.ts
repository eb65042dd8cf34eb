/** What a subscribe asks for, as the gateway grants it. */
import { FIELDS, type Field, fieldIndex } from "../../base/tick.ts";
import { DEFAULT_DEPTH, DEFAULT_LAST_BARS, DEPTHS, type Subscribe } from "../../protocol/messages.ts";
import type { Settings } from "../../settings/settings.ts";
import type { Grant } from "./patterns.ts";

export function grantOf(command: Subscribe, settings: Pick<Settings, "interval" | "minInterval">): Grant {
  const interval = Math.max(Math.ceil(command.interval ?? settings.interval), settings.minInterval);
  if (command.channel === "book") {
    const depth = command.depth ?? DEFAULT_DEPTH;
    return { interval, selection: Uint8Array.of(DEPTHS.find((each) => each >= depth) ?? DEFAULT_DEPTH), fields: [] };
  }
  if (command.channel === "trade" || command.channel === "bar")
    return { interval, selection: new Uint8Array(0), fields: [] };
  const fields = (command.fields ?? FIELDS) as readonly Field[];
  return { interval, selection: Uint8Array.from(fields, fieldIndex), fields };
}

/** How many of the latest ticks come first. */
export function lastOf({ channel, last = channel === "bar" ? DEFAULT_LAST_BARS : 0 }: Subscribe): number {
  return last;
}
