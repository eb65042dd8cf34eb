/** All data of one symbol, which lives through ticks and reconnects. Quote objects read from it. */
import { FIELDS, type Field, type State } from "../../base/tick.ts";
import type { Quote, QuoteState } from "./quote.ts";

/** The reason of a state, and when the state began, microseconds since the Unix epoch. */
export interface StateCause {
  reason: string;
  since: number;
}

/** Whether the ticks of a connection are still current, and if not, why. Shared by all records of that connection. */
export interface Link extends StateCause {
  current: boolean;
}

/** The time by the gateway's clock. */
export interface GatewayTime {
  /** Microseconds since the Unix epoch. */
  micros(): number;
}

/** The link of records that no connection has granted. */
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

export class QuoteRecord implements StateCause {
  readonly symbol: string;
  readonly time: GatewayTime;
  /** The latest tick's value of each of {@link FIELDS}; NaN where not known or not granted. */
  readonly values: number[] = FIELDS.map(() => NaN);
  /** Of the latest tick; 0 before the first. */
  seq = 0;
  eventTime = 0;
  sentAt = 0;
  receivedAt = 0;
  /** The connection that it arrived on. */
  link = NO_LINK;
  ticks = 0;
  conflated = 0;
  lost = 0;
  /** The state that the gateway has reported; undefined means live. */
  reported: State | undefined;
  reason = "";
  since = 0;

  /** The handle that the present connection has granted; below 0 for none. */
  handle = -1;
  /** The granted interval, ms, how late the data is on purpose, ms, and fields. */
  interval = 0;
  delay = 0;
  fields: readonly Field[] = FIELDS;
  /** The positions of those fields in {@link values}. */
  positions: readonly number[] = [];
  /** Whether no tick has arrived since the grant, so that the next one has nothing to be compared with. */
  isNew = true;
  /**
   * Whether the next tick is a snapshot: it may arrive before the interval has passed, and may repeat the last tick.
   */
  isSnapshotDue = true;
  /** Whether no state was reported since the grant: if none is until the snapshot, the symbol is live. */
  isStatusDue = true;
  /** Whether a status since the last tick reported missed ticks, and a seq that starts again. */
  hasGap = false;
  hasReset = false;
  /** The number of the frame that the last tick was in. */
  frame = -1;

  /**
   * Its quotes: the client's own, and one for each subscription that covers it; none where no subscription does. The
   * array is replaced, never changed: a caller may be iterating over it.
   */
  quotes: readonly AttachedQuote[] = [];

  constructor(symbol: string, time: GatewayTime) {
    this.symbol = symbol;
    this.time = time;
  }

  get state(): QuoteState {
    const reported = this.reported ?? "live";
    if (this.seq === 0) return reported === "live" ? "unknown" : reported;
    return reported === "closed" || this.link.current ? reported : "stale";
  }

  /**
   * The cause of the state: the gateway's report, or the connection where that is not current. A reason that the
   * gateway has given since the grant counts even if no tick has followed.
   */
  get cause(): StateCause {
    const isReported = this.reason && this.handle >= 0 && !this.isStatusDue;
    return this.seq === 0 || this.reported === "closed" || this.link.current || isReported ? this : this.link;
  }
}
