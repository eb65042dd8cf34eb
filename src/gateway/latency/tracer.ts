/**
 * Traces the ticks of single symbols through this node, for `POST /trace`: when each was made, received and applied,
 * and when it was sent on one connection. Without a trace, a tick costs one comparison more.
 */
import type { GatewayTable, RowTable } from "../../market/gateway_table.ts";
import type { Frame } from "../fanout/frame.ts";

/** What is to be traced. */
export interface TraceRequest {
  readonly symbol: string;
  /** The session whose frames are traced; undefined for none. */
  readonly session: string | undefined;
}

/** The first line: the node and the symbol. */
export interface TraceHead {
  readonly line: "trace";
  readonly node: string;
  readonly symbol: string;
  /** Microseconds since the Unix epoch. */
  readonly time: number;
}

/** A tick is in the market table. Durations are microseconds; null where they are not known. */
export interface AppliedLine {
  readonly line: "applied";
  readonly seq: number;
  readonly eventTime: number;
  readonly appliedAt: number;
  readonly source: number | null;
  readonly feed: number | null;
  readonly bus: number | null;
  /** Lines before this one that were left out because the output was not ready. */
  readonly lost: number;
}

/** A tick was written to the session's socket. */
export interface SentLine {
  readonly line: "sent";
  readonly seq: number;
  /** The time in its frame. */
  readonly sentAt: number;
  readonly interval: number;
  readonly server: number;
  readonly client: number;
}

export type TraceLine = TraceHead | AppliedLine | SentLine;

/** Where the lines of a trace go. */
export interface TraceOutput {
  /** Whether it takes lines now. */
  readonly ready: boolean;
  line(line: TraceLine): void;
  /** The source of the lines has ended. */
  end(): void;
}

/** Gets the frames of a traced session; see `Sink.sampleFrame`. */
export type FrameTrace = (table: RowTable, frame: Frame, from: number, now: number, due: number, held: number) => void;

/** What a trace needs of a session. */
export interface TracedSession {
  readonly id: string;
  trace(follow: FrameTrace | undefined): void;
}

/** Traces at once on one node. */
export const MOST_TRACES = 8;

interface Trace {
  readonly row: number;
  readonly output: TraceOutput;
  lost: number;
}

export class Tracer {
  /** Whether there is a trace. */
  isActive = false;
  readonly #table: GatewayTable;
  readonly #traces = new Set<Trace>();

  constructor(table: GatewayTable) {
    this.#table = table;
  }

  /**
   * Traces a row's ticks, and those of them that are sent to a session.
   * @returns what ends it; undefined when there are too many traces
   */
  follow(row: number, session: TracedSession | undefined, output: TraceOutput): (() => void) | undefined {
    if (this.#traces.size >= MOST_TRACES) return undefined;
    const trace: Trace = { row, output, lost: 0 };
    this.#traces.add(trace);
    this.isActive = true;
    session?.trace((table, frame, from, now, due, held) => this.#traceSent(trace, table, frame, from, now, due, held));
    return () => {
      session?.trace(undefined);
      this.#traces.delete(trace);
      this.isActive = this.#traces.size > 0;
    };
  }

  /** A tick of the row has been applied. */
  traceApplied(row: number): void {
    for (const trace of this.#traces) if (trace.row === row) this.#writeApplied(trace);
  }

  #writeApplied(trace: Trace): void {
    const { row, output } = trace;
    if (!output.ready) {
      trace.lost++;
      return;
    }
    const { seq, eventTime, appliedAt, sourceTime, feedTime, busTime } = this.#table;
    const isKnown = !Number.isNaN(busTime[row]);
    const known = (micros: number) => (isKnown ? Math.round(micros) : null);
    output.line({
      line: "applied",
      seq: seq[row],
      eventTime: eventTime[row],
      appliedAt: appliedAt[row],
      source: known(sourceTime[row]),
      feed: known(feedTime[row]),
      bus: known(busTime[row]),
      lost: trace.lost,
    });
    trace.lost = 0;
  }

  #traceSent(
    { row, output }: Trace,
    table: RowTable,
    frame: Frame,
    from: number,
    now: number,
    due: number,
    held: number,
  ): void {
    if (table !== this.#table) return;
    for (let index = from; index < frame.count; index++) {
      if (frame.rowAt(index) !== row || !output.ready) continue;
      const waited = Math.max(0, frame.sentAt - this.#table.appliedAt[row]);
      // As in latency_sampler.ts: the flush was not late for a tick before that tick came.
      const late = Math.min(waited, Math.round((now - due) * 1_000));
      const client = Math.min(late, Math.round(held * 1_000));
      const seq = this.#table.seq[row];
      output.line({
        line: "sent",
        seq,
        sentAt: frame.sentAt,
        interval: waited - late,
        server: late - client,
        client,
      });
    }
  }
}
