/**
 * Puts together what is known of each tick that is traced: what the node says of it (applied, sent) and when it arrived
 * here. The parts come on two connections, in any order.
 */
import type { AppliedLine, SentLine } from "../../gateway/latency/tracer.ts";

/** The stages of a tick, in their order; `inbound` stands for the first three where the node cannot tell them apart. */
export const TRACE_STAGES = ["inbound", "source", "feed", "bus", "interval", "server", "client", "network"] as const;
export type TraceStage = (typeof TRACE_STAGES)[number];

/** A tick that has arrived. All times in microseconds. */
export interface TracedTick {
  readonly kind: "tick";
  readonly seq: number;
  readonly eventTime: number;
  /** How long each stage took that is known. */
  readonly stages: Readonly<Partial<Record<TraceStage, number>>>;
  /** From the event to the arrival here, by the node's clock. */
  readonly total: number;
}

/** Ticks that a newer one replaced, from one seq to another. */
export interface ConflatedTicks {
  readonly kind: "conflated";
  readonly from: number;
  readonly to: number;
  /** The one that replaced them. */
  readonly by: number;
  /** Where that was: before they came to the node, or here, by whose doing it was. */
  readonly why: "feed" | "interval" | "server" | "client";
}

/** A tick whose node left out what it had to say of it, since we did not read fast enough. */
export interface UntoldTicks {
  readonly kind: "untold";
  readonly count: number;
}

export type Traced = TracedTick | ConflatedTicks | UntoldTicks;

/** Ticks of which something is known and not all; the oldest are given up. */
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
  /** The last that was applied; 0 for none. */
  #applied = 0;

  /** @param told is called with each tick, once all of it is known */
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

  /** What was applied before this one and has not been sent never will be. */
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

  /** @param at when, by the node's clock */
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
  // Clocks are known within a fraction of a round trip: nothing arrives before it is sent.
  const network = Math.max(0, arrivedAt - sent.sentAt);
  return {
    kind: "tick",
    seq,
    eventTime,
    stages: { ...inbound, interval, server, client, network },
    total: sent.sentAt + network - eventTime,
  };
}

/** What the tick that replaced others waited for longest; they waited for the same. */
function longest({ interval, server, client }: SentLine): "interval" | "server" | "client" {
  if (client >= server && client >= interval) return client > 0 ? "client" : "interval";
  return server > interval ? "server" : "interval";
}
