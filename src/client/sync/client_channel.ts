/** One channel of a client: the demand of its subscriptions, and the records and views of their symbols. */

import { RecordView } from "../records/record_view.ts";
import type { AttachedView, ChannelKind, GatewayTime, RecordChannel, ViewListener } from "../records/tick_record.ts";
import { TickRecord, type ViewConstructor } from "../records/tick_record.ts";
import { Demand } from "./demand.ts";
import type { HostOptions, OwnedSubscription, SubscriptionHost } from "./owned_subscription.ts";

/** What the channels of a client share. */
export interface ChannelOptions extends HostOptions {
  readonly sync: GatewayTime;
  /** The demand of a channel has changed. */
  demanded(channel: ClientChannel, subscription: OwnedSubscription, symbols: readonly string[] | undefined): void;
  /** Drops the record of a symbol if it is not granted either. */
  release(record: TickRecord): void;
  /** Is called with what happens to a quote: the client's own. */
  emit(event: "quote" | "tick" | "status" | "granted" | "ended" | "frame", ...details: unknown[]): void;
}

export class ClientChannel implements RecordChannel, SubscriptionHost {
  readonly kind: ChannelKind;
  readonly View: ViewConstructor;
  readonly demand: Demand<OwnedSubscription>;
  readonly records = new Map<string, TickRecord>();
  readonly views = new Map<string, AttachedView>();
  readonly options: ChannelOptions;
  /** The listener of the client's own views: it passes changes on as events. */
  readonly #listener: ViewListener;

  constructor(kind: ChannelKind, options: ChannelOptions) {
    this.kind = kind;
    this.View = kind.view(RecordView);
    this.demand = new Demand(kind);
    this.options = options;
    this.#listener = {
      terms: {},
      changed: (view) => this.#emit("quote", view),
      status: (...args) => this.#emit("status", ...args),
    };
  }

  /** The client's events are about quotes: other channels have the callbacks of their subscriptions. */
  #emit(...args: Parameters<ChannelOptions["emit"]>): void {
    if (this.kind.name === "quote") this.options.emit(...args);
  }

  record(symbol: string): TickRecord {
    const record = this.records.get(symbol) ?? new TickRecord(symbol, this.options.sync, this, this.kind.content());
    this.records.set(symbol, record);
    return record;
  }

  granted(record: TickRecord): void {
    for (const subscription of this.demand.sources(record.symbol)) this.#attachOrDetach(subscription, record.symbol);
    const [view] = record.views;
    if (view) this.#emit("granted", view);
  }

  ticked(view: AttachedView, conflated: number): void {
    this.#emit("tick", view, conflated);
  }

  changed(subscription: OwnedSubscription, symbols: readonly string[] | undefined): void {
    const { demand, records } = this;
    for (const symbol of symbols ?? [...demand.named, ...subscription.selection.named]) {
      demand.update(subscription, symbol);
      // A symbol that is named has a view before it is granted.
      if (subscription.selection.symbols.get(symbol)) this.record(symbol);
    }
    if (!symbols) demand.updatePatterns(subscription);
    for (const symbol of symbols ?? records.keys()) this.#attachOrDetach(subscription, symbol);
    this.options.demanded(this, subscription, symbols);
  }

  /** Gives a subscription the view of a symbol that it now covers, or takes away one that it no longer covers. */
  #attachOrDetach(subscription: OwnedSubscription, symbol: string): void {
    const record = this.records.get(symbol);
    const isCovered = subscription.selection.covers(symbol);
    if (!record || isCovered === subscription.views.has(symbol)) return;
    if (!isCovered) subscription.detach(record);
    const [view = new this.View(record, this.#listener)] = record.views;
    if (isCovered) {
      this.views.set(symbol, view);
      if (record.views.length === 0) record.views = [view];
      subscription.attach(record);
    } else if (record.views.length === 1) {
      this.views.delete(symbol);
      record.views = [];
      this.options.release(record);
      this.#emit("ended", view);
    }
  }
}
