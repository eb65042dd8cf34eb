/** An entry of the book: all that the client knows of one symbol, through ticks and reconnects. Quotes show it. */
import { FIELD_COUNT, FIELDS, type Field, type State } from "../tick.ts";
import type { Follow } from "./follow.ts";
import type { QuoteState } from "./quote.ts";

/** Why something stands as it does, and since when, microseconds since the Unix epoch. */
export interface Standing {
  reason: string;
  since: number;
}

/** Whether what came over a connection is still current, and if not, why: shared by all entries of that connection. */
export interface Link extends Standing {
  current: boolean;
}

/** Tells the time by the gateway's clock. */
export interface GatewayTime {
  /** Microseconds since the Unix epoch. */
  micros(): number;
}

/** What nobody has granted. */
export const NO_LINK: Link = { current: false, reason: "not subscribed", since: 0 };

export class Entry implements Standing {
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
  /** Of the latest tick; 0 before the first. */
  seq = 0;
  eventTime = 0;
  sentAt = 0;
  receivedAt = 0;
  ticks = 0;
  conflated = 0;
  lost = 0;
  /** What the gateway has said of its state; live goes without saying. */
  told: State | undefined;
  reason = "";
  since = 0;
  /** The connection that the latest tick came over. */
  link = NO_LINK;
  /** Whose subscriptions cover it. Replaced, never changed: it may be gone through meanwhile. */
  followers: readonly Follow[] = [];

  constructor(symbol: string, time: GatewayTime) {
    this.symbol = symbol;
    this.time = time;
  }

  get state(): QuoteState {
    const told = this.told ?? "live";
    if (this.seq === 0) return told === "live" ? "unknown" : told;
    return told === "closed" || this.link.current ? told : "stale";
  }

  /** Whose word its state is: the gateway's, or the connection's where that is not current. */
  get standing(): Standing {
    return this.seq === 0 || this.told === "closed" || this.link.current ? this : this.link;
  }
}
