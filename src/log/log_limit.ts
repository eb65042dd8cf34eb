/**
 * A log of events that clients or a source can cause as often as they like: so many lines of a kind in a period, and
 * then how many more there were.
 */
import type { Logger } from "pino";
import type { Clock } from "../base/clock.ts";

/** How many lines of one kind are written in a period of so many ms. */
export interface Limit {
  readonly lines: number;
  readonly period: number;
}

/** Enough to see what it is, and not enough to hide what else there is. */
export const EVENT_LIMIT: Limit = { lines: 5, period: 10_000 };

/** Kinds that are told apart; kinds are few, and named by us. */
const MOST_KINDS = 100;

type Level = "info" | "warn";

interface Kind {
  readonly level: Level;
  readonly message: string;
  from: number;
  lines: number;
  leftOut: number;
}

export class LogLimit {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #limit: Limit;
  readonly #kinds = new Map<string, Kind>();
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Logger, clock: Clock, limit = EVENT_LIMIT) {
    this.#log = log;
    this.#clock = clock;
    this.#limit = limit;
  }

  /**
   * Logs an event, or counts it where there have been too many of its kind.
   * @param message the same each time; what differs is in the details
   * @param variant tells kinds of one message apart
   */
  add(level: Level, details: Readonly<Record<string, unknown>>, message: string, variant = ""): void {
    if (!this.#log.isLevelEnabled(level)) return;
    const name = `${message} ${variant}`;
    const now = this.#clock.millis();
    let kind = this.#kinds.get(name);
    if (kind && now - kind.from >= this.#limit.period) {
      this.#sayLeftOut(kind, now);
      kind.from = now;
      kind.lines = 0;
    }
    if (!kind) {
      if (this.#kinds.size >= MOST_KINDS) return;
      kind = { level, message, from: now, lines: 0, leftOut: 0 };
      this.#kinds.set(name, kind);
    }
    if (kind.lines < this.#limit.lines) {
      kind.lines++;
      this.#log[level](details, message);
      return;
    }
    kind.leftOut++;
    this.#timer ??= setTimeout(() => this.look(), this.#limit.period).unref();
  }

  /** Says how many were left out in periods that are over. */
  look(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const now = this.#clock.millis();
    for (const [name, kind] of this.#kinds) {
      if (now - kind.from < this.#limit.period) {
        if (kind.leftOut > 0) this.#timer ??= setTimeout(() => this.look(), this.#limit.period).unref();
        continue;
      }
      this.#sayLeftOut(kind, now);
      this.#kinds.delete(name);
    }
  }

  /** Says how many were left out until now. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const kind of this.#kinds.values()) this.#sayLeftOut(kind, this.#clock.millis());
    this.#kinds.clear();
  }

  #sayLeftOut(kind: Kind, now: number): void {
    if (kind.leftOut === 0) return;
    const seconds = Math.max(1, Math.round((now - kind.from) / 1_000));
    this.#log[kind.level]({ of: kind.message, more: kind.leftOut, seconds }, "and more of these");
    kind.leftOut = 0;
  }
}
