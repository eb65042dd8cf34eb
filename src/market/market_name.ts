/** A market is the table of one channel; of bars, of one resolution. These are the names. */
import { type Channel, DEFAULT_RESOLUTION, type Resolution } from "../protocol/messages.ts";

/** The market of the bars of one resolution. */
export type BarMarketName = `bar:${Resolution}`;
export type MarketName = Exclude<Channel, "bar"> | BarMarketName;

/** The bars that publishers build, and that the bus carries. */
export const PUBLISHED_BARS: readonly BarMarketName[] = ["bar:1s", "bar:1m"];

/** How long a bar is, microseconds. */
const LENGTHS: Readonly<Record<Resolution, number>> = {
  "1s": 1_000_000,
  "1m": 60_000_000,
  "5m": 300_000_000,
  "15m": 900_000_000,
  "1h": 3_600_000_000,
  "1d": 86_400_000_000,
};

export function isBarMarket(name: MarketName): name is BarMarketName {
  return name.startsWith("bar:");
}

export function resolutionOf(name: BarMarketName): Resolution {
  return name.slice(4) as Resolution;
}

/** How long a bar of the market is, microseconds. */
export function barLength(name: BarMarketName): number {
  return LENGTHS[resolutionOf(name)];
}

/** When the bar begins that has this time, microseconds since the Unix epoch: days begin at midnight UTC. */
export function barStart(time: number, length: number): number {
  return Math.floor(time / length) * length;
}

export function marketOf(channel: Channel, resolution: Resolution = DEFAULT_RESOLUTION): MarketName {
  return channel === "bar" ? `bar:${resolution}` : channel;
}

export function channelOf(name: MarketName): Channel {
  return isBarMarket(name) ? "bar" : name;
}

/** How a message names the market: not where it is the default. */
export function marketKeys(name: MarketName): { channel?: Channel; resolution?: Resolution } {
  if (isBarMarket(name)) return { channel: "bar", resolution: resolutionOf(name) };
  return name === "quote" ? {} : { channel: name };
}
