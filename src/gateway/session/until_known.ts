/** Waits until the bus knows symbols: a gateway reads the past of a symbol once a client wants it. */
import type { Clock } from "../../base/clock.ts";
import { isPattern } from "../../base/tick.ts";
import type { BusReader } from "../../bus/bus.ts";

/** How long a command waits, and how often it looks, ms. */
const TIMEOUT = 1_000;
const INTERVAL = 10;

/**
 * Follows symbols, and all for patterns, until the bus knows them or the time is over.
 * @returns undefined where it knows them now
 */
export function untilKnown(bus: BusReader, clock: Clock, texts: readonly string[]): Promise<void> | undefined {
  const wanted: (string | undefined)[] = texts.filter((text) => !isPattern(text));
  if (wanted.length < texts.length) wanted.unshift(undefined);
  let known = 0;
  const isKnown = () => {
    // Each is looked at until it is known, so that many cost as much as one.
    while (known < wanted.length && bus.isKnown(wanted[known])) known++;
    return known === wanted.length;
  };
  for (const symbol of wanted) bus.follow(symbol);
  const end = () => {
    for (const symbol of wanted) bus.unfollow(symbol);
  };
  if (isKnown()) {
    end();
    return undefined;
  }
  const deadline = clock.millis() + TIMEOUT;
  return new Promise((resolve) => {
    const look = () => {
      if (!isKnown() && clock.millis() < deadline) return setTimeout(look, INTERVAL);
      end();
      resolve();
      return undefined;
    };
    look();
  });
}
