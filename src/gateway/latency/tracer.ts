/**
 * Follows the ticks of single symbols through this node, for whoever asks (`POST /trace`): when each was made, came and was
 * applied, and when it was sent on one connection. While nobody asks, the path of a tick pays for one comparison.
 */
import type { GatewayTable } from "../../market/gateway_table.ts";
import type { Frame } from "../fanout/frame.ts";

/** What is to be followed. */
export interface TraceRequest {
  readonly symbol: string;
  /** The session whose frames are followed; undefined for none. */
  readonly session: string | undefined;
}

/** The first line: who tells. */
export interface TraceHead {
  readonly line: "trace";
  readonly node: string;
  readonly symbol: string;
  /** Microseconds since the Unix epoch. */
  readonly time: number;
}

/** A tick came, and is in the market table. Durations are microseconds; null where the bus does not tell. */
export interface AppliedLine {
  readonly line: "applied";
  readonly seq: number;
  readonly eventTime: number;
  readonly appliedAt: number;
  readonly source: number | null;
  readonly feed: number | null;
  readonly bus: number | null;
  /** Lines before this one that were left out, since who asks does not read. */
  readonly lost: number;
}

/** A tick was written to the session's socket. */
export interface SentLine {
  readonly line: "sent";
  readonly seq: number;
  /** What its frame says. */
  readonly sentAt: number;
  readonly interval: number;
  readonly server: number;
  readonly client: number;
}

export type TraceLine = TraceHead | AppliedLine | SentLine;

/** Who asks. */
export interface TraceOutput {
  /** Whether it takes lines now. */
  readonly ready: boolean;
  line(line: TraceLine): void;
  /** There is no more to tell: who told has gone. */
  end(): void;
}

/** Frames of a session are told to this while it is followed; see {@link Way.delivers}. */
export type FrameTrace = (frame: Frame, from: number, now: number, due: number, held: number) => void;

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
  /** Whether anyone follows anything. */
  active = false;
  readonly #table: GatewayTable;
  readonly #traces = new Set<Trace>();

  constructor(table: GatewayTable) {
    this.#table = table;
  }

  /**
   * Follows a row's ticks, and those of them that go to a session.
   * @returns what ends it; undefined when there are too many traces
   */
  follow(row: number, session: TracedSession | undefined, output: TraceOutput): (() => void) | undefined {
    if (this.#traces.size >= MOST_TRACES) return undefined;
    const trace: Trace = { row, output, lost: 0 };
    this.#traces.add(trace);
    this.active = true;
    session?.trace((frame, from, now, due, held) => this.#sent(trace, frame, from, now, due, held));
    return () => {
      session?.trace(undefined);
      this.#traces.delete(trace);
      this.active = this.#traces.size > 0;
    };
  }

  /** A tick of the row has been applied. */
  applied(row: number): void {
    for (const trace of this.#traces) if (trace.row === row) this.#tellApplied(trace);
  }

  #tellApplied(trace: Trace): void {
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

  #sent({ row, output }: Trace, frame: Frame, from: number, now: number, due: number, held: number): void {
    for (let index = from; index < frame.count; index++) {
      if (frame.rowAt(index) !== row || !output.ready) continue;
      const waited = Math.max(0, frame.sentAt - this.#table.appliedAt[row]);
      // As delivery.ts has it: what was due before the tick came was not due for it.
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
