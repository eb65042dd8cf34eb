/**
 * Joins the data of each traced tick: the node's lines (applied, sent) and the arrival here. They come on two
 * connections, in any order.
 */
import type { AppliedLine, SentLine } from "../../gateway/latency/tracer.ts";

/** The stages of a tick in order; `inbound` replaces the first three when the node cannot separate them. */
export const TRACE_STAGES = ["inbound", "source", "feed", "bus", "interval", "server", "client", "network"] as const;
export type TraceStage = (typeof TRACE_STAGES)[number];

/** A tick that arrived. All times in microseconds. */
export interface TracedTick {
  readonly kind: "tick";
  readonly seq: number;
  readonly eventTime: number;
  /** The duration of each known stage. */
  readonly stages: Readonly<Partial<Record<TraceStage, number>>>;
  /** The time from the event to the arrival here, by the node's clock. */
  readonly total: number;
}

/** A range of ticks, by seq, that a newer one replaced. */
export interface ConflatedTicks {
  readonly kind: "conflated";
  readonly from: number;
  readonly to: number;
  /** The seq of the tick that replaced them. */
  readonly by: number;
  /** Where they were replaced: before the node, or at the node, with the cause. */
  readonly why: "feed" | "interval" | "server" | "client";
}

/** A tick without the node's lines: the node left them out because we read too slowly. */
export interface UntoldTicks {
  readonly kind: "untold";
  readonly count: number;
}

export type Traced = TracedTick | ConflatedTicks | UntoldTicks;

/** The most incomplete ticks; the oldest is dropped. */
const MOST_OPEN = 10_000;

interface Open {
  applied?: AppliedLine;
  sent?: SentLine;
  /** By the node's clock. */
  arrivedAt?: number;
}

export class TraceJoin {
  readonly #told: (traced: Traced) => void;
  readonly #open = new Map<number, Open>();
  /** The seq of the last applied tick; 0 for none. */
  #applied = 0;

  /** @param told called with each tick when its data is complete */
  constructor(told: (traced: Traced) => void) {
    this.#told = told;
  }

  applied(applied: AppliedLine): void {
    if (applied.lost > 0) this.#told({ kind: "untold", count: applied.lost });
    else if (this.#applied > 0 && applied.seq > this.#applied + 1)
      this.#told({ kind: "conflated", from: this.#applied + 1, to: applied.seq - 1, by: applied.seq, why: "feed" });
    this.#applied = applied.seq;
    this.#add(applied.seq, { applied });
  }

  /** Ticks that were applied before this one and not sent will never be sent. */
  sent(sent: SentLine): void {
    const replaced: number[] = [];
    for (const [seq, open] of this.#open) {
      if (seq >= sent.seq || !open.applied || open.sent) continue;
      replaced.push(seq);
      this.#open.delete(seq);
    }
    if (replaced.length > 0)
      this.#told({
        kind: "conflated",
        from: Math.min(...replaced),
        to: Math.max(...replaced),
        by: sent.seq,
        why: longest(sent),
      });
    this.#add(sent.seq, { sent });
  }

  /** @param at the time by the node's clock */
  arrived(seq: number, at: number): void {
    this.#add(seq, { arrivedAt: at });
  }

  #add(seq: number, part: Open): void {
    const open = this.#open.get(seq) ?? {};
    Object.assign(open, part);
    this.#open.set(seq, open);
    const { applied, sent, arrivedAt } = open;
    if (applied && sent && arrivedAt !== undefined) {
      this.#open.delete(seq);
      this.#told(traced(applied, sent, arrivedAt));
    } else if (this.#open.size > MOST_OPEN) this.#open.delete(this.#open.keys().next().value as number);
  }
}

function traced(applied: AppliedLine, sent: SentLine, arrivedAt: number): TracedTick {
  const { seq, eventTime, appliedAt, source, feed, bus } = applied;
  const inbound =
    source === null || feed === null || bus === null ? { inbound: appliedAt - eventTime } : { source, feed, bus };
  const { interval, server, client } = sent;
  // Clock offsets are known within a fraction of a round trip: no tick may arrive before it is sent.
  const network = Math.max(0, arrivedAt - sent.sentAt);
  return {
    kind: "tick",
    seq,
    eventTime,
    stages: { ...inbound, interval, server, client, network },
    total: sent.sentAt + network - eventTime,
  };
}

/** The longest wait of the tick that replaced others; they waited for the same reason. */
function longest({ interval, server, client }: SentLine): "interval" | "server" | "client" {
  if (client >= server && client >= interval) return client > 0 ? "client" : "interval";
  return server > interval ? "server" : "interval";
}
