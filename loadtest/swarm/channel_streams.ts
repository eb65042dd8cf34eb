/** The trades, books and bars of one connection, of the first of its symbols: subscribes and finds them by handle. */
import { pack } from "msgpackr";
import type { Resolution } from "../../src/protocol/messages.ts";
import { LAST_BARS } from "../bar_checks.ts";
import { BarStream } from "./bar_stream.ts";
import { BookStream, DEPTH } from "./book_stream.ts";
import { FAULTS } from "./faults.ts";
import { STREAM_CHANNELS, type StreamChannel, type Wire } from "./protocol.ts";
import type { Stream } from "./stream.ts";
import { LAST, TapeStream } from "./tape_stream.ts";

/** What a connection asks for. */
export interface ChannelPlan {
  /** ms */
  readonly interval: number;
  /** How many symbols. */
  readonly trades: number;
  readonly books: number;
  readonly bars: number;
  readonly resolution: Resolution;
}

/** A message about trades, books or bars. */
export type ChannelAnswer = { readonly channel: StreamChannel } & (
  | {
      readonly op: "subscribed";
      readonly interval: number;
      readonly depth?: number;
      readonly resolution?: string;
      readonly symbols: readonly (readonly [symbol: string, handle: number, count?: number])[];
      readonly rejected: readonly { readonly symbol: string; readonly code: string }[];
    }
  | { readonly op: "unsubscribed"; readonly symbols: readonly string[]; readonly more?: boolean }
  | {
      readonly op: "status";
      readonly symbols: readonly string[];
      readonly state: string;
      readonly reason?: string;
      readonly missed?: unknown;
    }
);

export class ChannelStreams {
  readonly #wire: Wire;
  readonly #plan: ChannelPlan;
  readonly #streams: Readonly<Record<StreamChannel, ReadonlyMap<string, Stream>>>;
  readonly #byHandle = new Map<number, Stream>();
  /** Channels whose subscriptions have been ended, to begin again. */
  readonly #ending = new Set<StreamChannel>();

  constructor(wire: Wire, plan: ChannelPlan) {
    this.#wire = wire;
    this.#plan = plan;
    const of = (count: number, create: (slot: number) => Stream) =>
      new Map(Array.from({ length: count }, (_, slot) => [wire.selection.nameAt(slot), create(slot)]));
    this.#streams = {
      trade: of(plan.trades, (slot) => new TapeStream(wire, slot)),
      book: of(plan.books, (slot) => new BookStream(wire, slot)),
      bar: of(plan.bars, (slot) => new BarStream(wire, slot, plan.resolution)),
    };
  }

  of(handle: number): Stream | undefined {
    return this.#byHandle.get(handle);
  }

  all(channel: StreamChannel): Iterable<Stream> {
    return this.#streams[channel].values();
  }

  subscribe(): void {
    for (const channel of STREAM_CHANNELS) this.#subscribe(channel);
  }

  /** Ends all, and subscribes again after the answers. */
  resubscribe(): void {
    for (const channel of STREAM_CHANNELS) {
      const symbols = [...this.#streams[channel].keys()];
      if (symbols.length === 0 || this.#ending.has(channel)) continue;
      this.#ending.add(channel);
      const own = channel === "bar" ? { resolution: this.#plan.resolution } : {};
      this.#wire.send(pack({ op: "unsubscribe", channel, ...own, symbols }));
    }
  }

  keepValues(): void {
    for (const channel of ["book", "bar"] as const) for (const stream of this.all(channel)) stream.keepValues();
  }

  control(message: ChannelAnswer): void {
    const streams = this.#streams[message.channel];
    if (!streams) return;
    if (message.op === "subscribed") return this.#subscribed(message);
    for (const symbol of message.symbols) {
      const stream = streams.get(symbol);
      if (message.op === "unsubscribed") stream?.end();
      else if (message.state === "gap") stream?.gap(message.reason === "reset", message.missed);
    }
    if (message.op === "unsubscribed" && message.more !== true && this.#ending.delete(message.channel))
      this.#subscribe(message.channel);
  }

  #subscribed(message: ChannelAnswer & { op: "subscribed" }): void {
    const { channel, interval, depth, resolution, symbols, rejected } = message;
    if (interval < this.#plan.interval) this.#wire.reportFault(FAULTS.interval, `${channel}, ${interval} ms`);
    for (const { symbol, code } of rejected) this.#wire.reportFault(FAULTS.rejected, `${symbol} ${channel} ${code}`);
    for (const [symbol, handle, count = Number.NaN] of symbols) {
      const stream = this.#streams[channel].get(symbol);
      if (!stream) continue;
      const other = this.#byHandle.get(handle);
      if ((stream.handle >= 0 && stream.handle !== handle) || (other && other !== stream))
        this.#wire.reportFault(FAULTS.moved, `${symbol} ${channel} handle ${handle}`);
      stream.handle = handle;
      this.#byHandle.set(handle, stream);
      if (stream instanceof TapeStream) stream.grant(interval * 1_000, count);
      else if (stream instanceof BookStream) stream.grant(interval * 1_000, depth);
      else if (stream instanceof BarStream) stream.grant(interval * 1_000, count, resolution);
    }
  }

  #subscribe(channel: StreamChannel): void {
    const symbols = [...this.#streams[channel].keys()];
    if (symbols.length === 0) return;
    const { interval, resolution } = this.#plan;
    const own = { trade: { last: LAST }, book: { depth: DEPTH }, bar: { resolution, last: LAST_BARS } }[channel];
    this.#wire.send(pack({ op: "subscribe", channel, symbols, interval, ...own }));
  }
}
