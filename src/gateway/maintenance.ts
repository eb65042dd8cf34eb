/**
 * What the gateway does by time: every 25 ms it passes changed states and new symbols on to the sessions, every 250 ms
 * it maintains each session (heartbeats, pings, quality), and checks the node's health.
 */
import type { ChannelMarket } from "./channel_markets.ts";
import type { StallWatch } from "./outbound/stall_watch.ts";

/** How often it runs, ms. */
const RUN_INTERVAL = 25;
/** How often each session is maintained, and the health checked, ms. */
const SESSION_INTERVAL = 250;
/**
 * So many sessions are maintained in one run, or all: more would delay the ticks, and so would all the pongs. Pings
 * that leave together cost half of what single ones do: each of those wakes the process that reads it, and its pong
 * wakes this one.
 */
const SESSIONS_PER_RUN = 1_000;

/** What is called of a session. */
export interface MaintainedSession {
  /** The market has symbols that it did not have. */
  matchNewSymbols(): void;
  /** The states of symbols have changed. */
  scheduleFlushes(): void;
  /** @returns whether a ping is due */
  maintain(now: number): boolean;
  ping(now: number): void;
}

export interface MaintenanceParts {
  readonly markets: { readonly all: Iterable<Pick<ChannelMarket, "table" | "topics">> };
  readonly stalls: StallWatch;
  readonly clock: { millis(): number };
}

export class Maintenance {
  readonly #parts: MaintenanceParts;
  readonly #sessions: ReadonlySet<MaintainedSession>;
  readonly #checkHealth: (now: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #runs = 0;
  /** The sessions that are still to be maintained in this round. */
  #round: Iterator<MaintainedSession> = [].values();
  /** How many are due, times {@link SESSION_INTERVAL}: whole numbers, so that none is a run late by rounding. */
  #due = 0;
  /** Of all channels. */
  #statusClocks = 0;
  #knownCount = 0;

  /** @param sessions those that are open */
  constructor(
    parts: MaintenanceParts,
    sessions: ReadonlySet<MaintainedSession>,
    checkHealth: (now: number) => void = () => {},
  ) {
    this.#parts = parts;
    this.#sessions = sessions;
    this.#checkHealth = checkHealth;
  }

  /** How often {@link run} is to be called, ms. */
  static readonly interval = RUN_INTERVAL;

  /** Runs by itself from now on. */
  start(): void {
    this.#timer ??= setInterval(() => this.run(this.#parts.clock.millis()), RUN_INTERVAL);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Does what is due. */
  run(now: number): void {
    if (++this.#runs % (SESSION_INTERVAL / RUN_INTERVAL) === 0) this.#checkHealth(now);
    this.#publishChanges(now);
    this.#maintainSessions(now);
  }

  #publishChanges(now: number): void {
    const { markets, stalls } = this.#parts;
    stalls.beat(now);
    let knownCount = 0;
    let statusClocks = 0;
    for (const { table, topics } of markets.all) {
      topics.tryOpen(now);
      knownCount += table.knownCount;
      statusClocks += table.statusClock;
    }
    if (knownCount !== this.#knownCount) {
      this.#knownCount = knownCount;
      for (const session of this.#sessions) session.matchNewSymbols();
    }
    if (statusClocks !== this.#statusClocks) {
      this.#statusClocks = statusClocks;
      for (const session of this.#sessions) session.scheduleFlushes();
    }
  }

  /** Maintains the next sessions, when enough are due; pings leave when all of them have been maintained. */
  #maintainSessions(now: number): void {
    const { size } = this.#sessions;
    this.#due = Math.min(size * SESSION_INTERVAL, this.#due + size * RUN_INTERVAL);
    if (this.#due < Math.min(size, SESSIONS_PER_RUN) * SESSION_INTERVAL) return;
    const pinged: MaintainedSession[] = [];
    for (; this.#due >= SESSION_INTERVAL; this.#due -= SESSION_INTERVAL) {
      let next = this.#round.next();
      if (next.done) {
        this.#round = this.#sessions.values();
        next = this.#round.next();
      }
      if (!next.done && next.value.maintain(now)) pinged.push(next.value);
    }
    for (const session of pinged) session.ping(now);
  }
}
