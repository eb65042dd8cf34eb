/** An entry of the book: all that the client knows of one symbol, through ticks and reconnects. Quotes show it. */
import { FIELD_COUNT, FIELDS, type Field, type State } from "../tick.ts";
import type { Follow } from "./follow.ts";

/** Whether what came over a connection is still current: shared by all entries of that connection. */
export interface Link {
  current: boolean;
  /** Why it is not. */
  reason: string;
  /** Since when it is not, microseconds since the Unix epoch. */
  since: number;
}

/** Tells the time by the gateway's clock. */
export interface GatewayTime {
  /** Microseconds since the Unix epoch. */
  micros(): number;
}

export class Entry {
  readonly symbol: string;
  readonly time: GatewayTime;
  /** Its handle on the present connection. */
  handle = -1;
  /** The granted interval, ms. */
  interval = 0;
  /** The granted fields; until there is a grant, all. */
  fields: readonly Field[] = FIELDS;
  /** The latest tick's value of each of {@link FIELDS}; NaN where not known or not granted. */
  readonly values = new Float64Array(FIELD_COUNT).fill(Number.NaN);
  /** The latest tick's number at the publisher; 0 before the first tick. */
  seq = 0;
  eventTime = 0;
  sentAt = 0;
  receivedAt = 0;
  ticks = 0;
  conflated = 0;
  lost = 0;
  /** Why the symbol stands as it does; empty when the gateway gave no reason. */
  reason = "";
  /** Since when, microseconds since the Unix epoch; 0 when not told. */
  since = 0;
  /** What the gateway has said of its state since it was granted; live goes without saying. */
  told: State | undefined;
  /** The connection that the latest tick came over. */
  link: Link;
  /** Whose subscriptions cover it. Replaced, never changed: it may be gone through meanwhile. */
  followers: readonly Follow[] = [];

  constructor(symbol: string, link: Link, time: GatewayTime) {
    this.symbol = symbol;
    this.link = link;
    this.time = time;
  }

  get state(): State | "unknown" {
    if (this.seq === 0) return this.told === "live" || this.told === undefined ? "unknown" : this.told;
    if (this.told === "closed") return "closed";
    return this.link.current ? (this.told ?? "live") : "stale";
  }

  /** Whether it is the connection that makes it stale. */
  get isCutOff(): boolean {
    return this.seq > 0 && this.told !== "closed" && !this.link.current;
  }
}
