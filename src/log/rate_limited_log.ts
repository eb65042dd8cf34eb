/**
 * A log for events that clients, sources or a lasting fault can cause at any rate. It writes a limited number of lines
 * of each kind in a period, and after the period one line with the count of the others.
 */
import type { Logger } from "pino";
import type { Clock } from "../base/clock.ts";

/** The number of lines of one kind that are written in a period, in milliseconds. */
export interface RateLimit {
  readonly lines: number;
  readonly period: number;
}

/** For single events: enough lines to see what happens, and few enough to leave other events visible. */
export const EVENT_LIMIT: RateLimit = { lines: 5, period: 10_000 };
/** For a fault that lasts: each retry fails for the same reason, so one line in a period says it all. */
export const FAULT_LIMIT: RateLimit = { lines: 1, period: 10_000 };

/** The kinds that are counted at once: the project has some dozens of messages that pass here. */
const MOST_KINDS = 100;

type Level = "info" | "warn" | "error";

/** What is known of one kind of event in its current period. */
interface Kind {
  readonly level: Level;
  readonly message: string;
  startedAt: number;
  lines: number;
  omitted: number;
}

export class RateLimitedLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #limit: RateLimit;
  readonly #kinds = new Map<string, Kind>();
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Logger, clock: Clock, limit = EVENT_LIMIT) {
    this.#log = log;
    this.#clock = clock;
    this.#limit = limit;
  }

  /**
   * Writes a line, or counts it when its kind has reached the limit.
   * @param message the same text each time; what differs belongs in the fields
   * @param variant separates kinds that share a message
   */
  write(level: Level, fields: Readonly<Record<string, unknown>>, message: string, variant = ""): void {
    if (!this.#log.isLevelEnabled(level)) return;
    const name = `${message} ${variant}`;
    const now = this.#clock.millis();
    let kind = this.#kinds.get(name);
    if (kind && now - kind.startedAt >= this.#limit.period) {
      this.#reportOmitted(kind, now);
      kind.startedAt = now;
      kind.lines = 0;
    }
    if (!kind) {
      if (this.#kinds.size >= MOST_KINDS) this.reportExpired();
      if (this.#kinds.size >= MOST_KINDS) return;
      kind = { level, message, startedAt: now, lines: 0, omitted: 0 };
      this.#kinds.set(name, kind);
    }
    if (kind.lines < this.#limit.lines) {
      kind.lines++;
      this.#log[level](fields, message);
      return;
    }
    kind.omitted++;
    this.#startTimer();
  }

  /** Reports what was omitted in periods that are over, and forgets their kinds. */
  reportExpired(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const now = this.#clock.millis();
    for (const [name, kind] of this.#kinds) {
      if (now - kind.startedAt < this.#limit.period) {
        if (kind.omitted > 0) this.#startTimer();
        continue;
      }
      this.#reportOmitted(kind, now);
      this.#kinds.delete(name);
    }
  }

  /** Reports everything that was omitted until now. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const kind of this.#kinds.values()) this.#reportOmitted(kind, this.#clock.millis());
    this.#kinds.clear();
  }

  #startTimer(): void {
    this.#timer ??= setTimeout(() => this.reportExpired(), this.#limit.period).unref();
  }

  #reportOmitted(kind: Kind, now: number): void {
    if (kind.omitted === 0) return;
    const seconds = Math.max(1, Math.round((now - kind.startedAt) / 1_000));
    this.#log[kind.level]({ of: kind.message, more: kind.omitted, seconds }, "and more of these");
    kind.omitted = 0;
  }
}
