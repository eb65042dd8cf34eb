/**
 * When ticks of interval 0 may be broadcast: given to the WebSocket library once for all who want them, instead of once a
 * turn for each (immediate.ts). That costs two thirds of a turn, and nothing is left out; so it is for a node that keeps up,
 * and while all that there is to tell is ticks. Else there are turns, which leave out what newer ticks have replaced.
 */
import type { Clock } from "../clock.ts";
import type { MarketTable } from "../market/table.ts";

/** An event loop that has had nothing to wait for in so many ms has more to do than it can. */
const BUSY_TIME = 250;
/** How often it is asked whether it had, ms. */
const LOOK_TIME = 4;
/** How long there are turns at least, ms: what was in arrears is sent by then. */
const CLOSED_TIME = 250;

/** Why the broadcast has been closed: symbols stand otherwise than before, which turns tell; or the node is behind. */
export type BroadcastStop = "status" | "busy";

export class BroadcastGate {
  isOpen = true;
  /** How long the event loop has waited for something to do, in all, ms. */
  idleTime: () => number = () => performance.nodeTiming.idleTime;
  readonly #clock: Clock;
  readonly #table: MarketTable;
  #statusClock = 0;
  #idle = Number.NEGATIVE_INFINITY;
  #idleAt = Number.NEGATIVE_INFINITY;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #closedAt = 0;

  constructor(clock: Clock, table: MarketTable) {
    this.#clock = clock;
    this.#table = table;
  }

  /** Why an open one must be closed before the next tick, if it must. */
  stop(now: number): BroadcastStop | undefined {
    if (this.#table.statusClock !== this.#statusClock) return "status";
    if (now - this.#lookedAt < LOOK_TIME) return undefined;
    this.#lookedAt = now;
    const idle = this.idleTime();
    if (idle > this.#idle) {
      this.#idle = idle;
      this.#idleAt = now;
    }
    return now - this.#idleAt > BUSY_TIME ? "busy" : undefined;
  }

  close(): void {
    this.isOpen = false;
    this.#closedAt = this.#clock.millis();
  }

  /** Whether a closed one has been so for long enough. */
  mayOpen(now: number): boolean {
    return !this.isOpen && now - this.#closedAt >= CLOSED_TIME;
  }

  open(): void {
    this.isOpen = true;
    this.#statusClock = this.#table.statusClock;
  }
}
