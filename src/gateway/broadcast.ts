/**
 * When ticks of interval 0 may be broadcast: given to the WebSocket library once for all who want them, instead of once a
 * turn for each (immediate.ts). That costs less than a turn, and nothing is left out; so it is for a node that keeps up,
 * and while all that there is to tell is ticks. Else there are turns, which leave out what newer ticks have replaced.
 */
import type { MarketTable } from "../market/table.ts";
import type { Pacer } from "./pacer.ts";

/** A node whose pacer has not run for so long is busy, ms: one go of the event loop took that. */
const LATE_TIME = 50;
/** So is one whose event loop has had to wait for something to do for less than this share of so many ms: it falls behind. */
const BUSY_SHARE = 0.01;
const BUSY_TIME = 250;
/** How long there are turns when symbols stand otherwise than before, ms: all have been told by then. */
const STATUS_TIME = 250;
/** How long when the node is busy, ms: twice as long as the last time where the broadcast was open for a moment only. */
const FIRST_REST = 500;
const LONGEST_REST = 60_000;
const MOMENT = 5_000;
/** While turns come that late, ms, in the mean of the last of them, it stays closed: to tell everything would make it worse. */
const LATE_TURN = 25;
const TURNS_KEPT = 63 / 64;

/** Why the broadcast has been closed: symbols stand otherwise than before, which turns tell; or the node is behind. */
export type BroadcastStop = "status" | "busy";

export class BroadcastGate {
  isOpen = true;
  /** How long the event loop has waited for something to do, in all, ms. */
  idleTime: () => number = () => performance.nodeTiming.idleTime;
  readonly #table: MarketTable;
  readonly #pacer: Pick<Pacer, "ranAt">;
  #statusClock = 0;
  /** What {@link idleTime} was, and when. */
  #idle = 0;
  #lookedAt: number;
  #openedAt = Number.NEGATIVE_INFINITY;
  #opensAt = Number.POSITIVE_INFINITY;
  #rest = FIRST_REST;
  #late = 0;

  constructor(table: MarketTable, pacer: Pick<Pacer, "ranAt">) {
    this.#table = table;
    this.#pacer = pacer;
    this.#lookedAt = pacer.ranAt;
  }

  /** Why an open one must be closed before the next tick, if it must. */
  stop(now: number): BroadcastStop | undefined {
    if (this.#table.statusClock !== this.#statusClock) return "status";
    if (now - this.#pacer.ranAt > LATE_TIME) return "busy";
    const time = now - this.#lookedAt;
    if (time < BUSY_TIME) return undefined;
    const idle = this.idleTime();
    const isBusy = idle - this.#idle < time * BUSY_SHARE;
    this.#idle = idle;
    this.#lookedAt = now;
    return isBusy ? "busy" : undefined;
  }

  close(stop: BroadcastStop, now: number): void {
    this.isOpen = false;
    if (stop === "busy")
      this.#rest = now - this.#openedAt < MOMENT ? Math.min(this.#rest * 2, LONGEST_REST) : FIRST_REST;
    this.#opensAt = now + (stop === "busy" ? this.#rest : STATUS_TIME);
  }

  /** A turn has come, so late, ms. */
  turned(late: number): void {
    this.#late = this.#late * TURNS_KEPT + late * (1 - TURNS_KEPT);
  }

  /** Opens a closed one, if it may be. @returns whether it does */
  tryOpen(now: number): boolean {
    if (this.isOpen) return false;
    // As long as that changes there is always somebody who has not been told.
    if (this.#table.statusClock !== this.#statusClock) {
      this.#statusClock = this.#table.statusClock;
      this.#opensAt = Math.max(this.#opensAt, now + STATUS_TIME);
    }
    if (now < this.#opensAt || this.#late > LATE_TURN) return false;
    this.isOpen = true;
    this.#openedAt = this.#lookedAt = now;
    this.#idle = this.idleTime();
    return true;
  }
}
