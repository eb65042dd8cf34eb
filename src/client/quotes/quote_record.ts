/** An entry of the book: all that the client knows of one symbol, through ticks and reconnects. Quotes show it. */
import { FIELDS, type Field, type State } from "../../base/tick.ts";
import type { Quote, QuoteState } from "./quote.ts";

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

/** Of what nobody has granted. */
export const NO_LINK: Link = { current: false, reason: "not subscribed", since: 0 };

/** A quote object of a record, with the listener that is called when the record changes. */
export interface AttachedQuote extends Quote {
  readonly record: QuoteRecord;
  readonly listener: QuoteListener;
  /** When the callback was last called with it, ms. */
  calledAt: number;
}

/** Says which fields a quote shows, and is called when its record has changed. */
export interface QuoteListener {
  /** Undefined: all that are granted. */
  readonly fields: readonly Field[] | undefined;
  /**
   * A value or the state has changed.
   * @param now ms
   * @param isNewState whether the state has changed, which does not wait for the interval
   */
  changed(quote: AttachedQuote, now: number, isNewState: boolean): void;
  /** The gateway has reported the state of the symbol. */
  status(quote: AttachedQuote, state: QuoteState | "gap", reason: string): void;
}

export class QuoteRecord implements Standing {
  readonly symbol: string;
  readonly time: GatewayTime;
  /** The latest tick's value of each of {@link FIELDS}; NaN where not known or not granted. */
  readonly values: number[] = FIELDS.map(() => NaN);
  /** Of the latest tick; 0 before the first. */
  seq = 0;
  eventTime = 0;
  sentAt = 0;
  receivedAt = 0;
  /** The connection that it came over. */
  link = NO_LINK;
  ticks = 0;
  conflated = 0;
  lost = 0;
  /** What the gateway has said of its state; live goes without saying. */
  told: State | undefined;
  reason = "";
  since = 0;

  /** The handle that it was granted on the present connection; below 0 for none. */
  handle = -1;
  /** What was granted. */
  interval = 0;
  fields: readonly Field[] = FIELDS;
  /** The positions of those fields in {@link values}. */
  positions: readonly number[] = [];
  /** Whether no tick has come since it was granted, so that the next is compared with none. */
  isNew = true;
  /** Whether the next tick is a snapshot: due at once, and it may repeat what was known. */
  isSnapshotDue = true;
  /** Whether nothing was said of its state since it was granted: with the snapshot that means live. */
  isUntold = true;
  /** Whether a status said, since the last tick, that ticks were missed, and that the seq starts again. */
  hasGap = false;
  hasReset = false;
  /** The number of the frame that the last tick was in. */
  frame = -1;

  /**
   * Its quotes: the client's own, and those of the subscriptions that cover it; none where nobody wants it. Replaced,
   * never changed: it may be gone through meanwhile.
   */
  quotes: readonly AttachedQuote[] = [];

  constructor(symbol: string, time: GatewayTime) {
    this.symbol = symbol;
    this.time = time;
  }

  get state(): QuoteState {
    const told = this.told ?? "live";
    if (this.seq === 0) return told === "live" ? "unknown" : told;
    return told === "closed" || this.link.current ? told : "stale";
  }

  /**
   * Whose word its state is: the gateway's, or the connection's where that is not current. A reason that the gateway has
   * given since it granted the symbol counts even where no tick has followed.
   */
  get standing(): Standing {
    const isSaid = this.reason && this.handle >= 0 && !this.isUntold;
    return this.seq === 0 || this.told === "closed" || this.link.current || isSaid ? this : this.link;
  }
}
