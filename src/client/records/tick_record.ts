/** All data of one symbol in one channel, which lives through ticks and reconnects. Views read from it. */
import type { Field, State } from "../../base/tick.ts";
import type { Channel, ChannelSubscribed, Resolution, Subscribe, Subscribed } from "../../protocol/messages.ts";
import type { ViolationListener } from "../connection/violations.ts";
import type { QuoteState, View } from "./view.ts";

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

/** The channel's own options of a subscription. */
export interface ChannelTerms {
  readonly fields?: readonly Field[] | undefined;
  readonly depth?: number | undefined;
  readonly last?: number | undefined;
}

/** A view of a record, with the listener that is called when the record changes. */
export interface AttachedView extends View {
  readonly record: TickRecord;
  readonly listener: ViewListener;
  /** When the callback was last called with it, ms. */
  calledAt: number;
  /** What the callback is called with besides the view: one call each. */
  news?(): Iterable<unknown>;
}

/** Says which part of a record a view shows, and is called when the record has changed. */
export interface ViewListener {
  readonly terms: ChannelTerms;
  /**
   * A value or the state has changed.
   * @param now ms
   * @param isUrgent whether this does not wait for the interval, as a new state
   */
  changed(view: AttachedView, now: number, isUrgent: boolean): void;
  /** The gateway has reported the state of the symbol. */
  status(view: AttachedView, state: QuoteState | "gap", reason: string): void;
}

/** Makes views of a record. */
export type ViewConstructor = new (record: TickRecord, listener: ViewListener) => AttachedView;

/** The values of a tick. */
export type TickValues = readonly unknown[];

/**
 * What makes a channel: how it is asked for, and what its ticks contain. Modules beside the client provide those of
 * books and trades, and contain nothing of the client.
 */
export interface ChannelKind<C = unknown> {
  /** Differs for all: of bars for each resolution. It is the {@link commandKeys}' values together. */
  readonly name: string;
  /** The members of commands that name it: none of quotes. */
  readonly commandKeys: { readonly channel?: Channel; readonly resolution?: Resolution };
  /** What to ask for: from 1 to 1,023. @throws RangeError */
  demand(terms: ChannelTerms): number;
  /** A demand that serves both. */
  merge(one: number, other: number): number;
  /** The members of a subscribe command for a demand. */
  terms(demand: number): Partial<Subscribe>;
  /** What a record keeps of the channel, empty. */
  content(): C;
  /** The class of its views, which extends the base. */
  view(Base: ViewConstructor): ViewConstructor;
  /** The symbol was granted. @param count how many past ticks follow */
  granted(record: TickRecord<C>, message: Subscribed | ChannelSubscribed, count: number): void;
  /** Whether a tick has as many values as it should. @throws Error where their types are wrong */
  fits(record: TickRecord<C>, values: TickValues): boolean;
  /** Keeps a tick. @returns whether it changes a value */
  take(record: TickRecord<C>, values: TickValues, seq: number, eventTime: number): boolean;
  /**
   * Where ticks do not replace each other: replaces the checks of other channels, and tells the store where ticks
   * before it are missing.
   * @returns whether the tick is new
   */
  judge?(
    record: TickRecord<C>,
    values: TickValues,
    seq: number,
    eventTime: number,
    violated: ViolationListener,
    store: GapListener,
  ): boolean;
}

/** Is told where ticks of a record are missing. */
export interface GapListener {
  /** @param reason `missed`; `reset`: `seq` starts again */
  gap(record: TickRecord, reason: string): void;
}

/** The records of one channel. */
export interface RecordChannel {
  readonly kind: ChannelKind;
  /** By symbol: the granted ones, and the wanted ones. */
  readonly records: Map<string, TickRecord>;
  /** The record of a symbol; a new one where there is none. */
  record(symbol: string): TickRecord;
  /** A symbol was granted. */
  granted(record: TickRecord): void;
  /** A tick of a wanted symbol was kept. */
  ticked(view: AttachedView, conflated: number): void;
}

export class TickRecord<C = unknown> implements StateCause {
  readonly symbol: string;
  readonly time: GatewayTime;
  readonly channel: RecordChannel;
  readonly content: C;
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
  /** The granted interval, ms, and how late the data is on purpose, ms. */
  interval = 0;
  delay = 0;
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
   * Its views: the client's own, and one for each subscription that covers it; none where no subscription does. The
   * array is replaced, never changed: a caller may be iterating over it.
   */
  views: readonly AttachedView[] = [];

  constructor(symbol: string, time: GatewayTime, channel: RecordChannel, content: C) {
    this.symbol = symbol;
    this.time = time;
    this.channel = channel;
    this.content = content;
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
