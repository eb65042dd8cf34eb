/**
 * When ticks of interval 0 may be broadcast: given to the WebSocket library once for all who want them, instead of once a
 * turn for each (immediate.ts). That costs less than a turn, and nothing is left out; so it is for a node that keeps up,
 * and while all that there is to tell is ticks. Else there are turns, which leave out what newer ticks have replaced.
 */
import type { MarketTable } from "../../market/table.ts";
import type { FlushScheduler } from "./flush_scheduler.ts";

/** A node whose pacer has not run for so long is busy, ms: one go of the event loop took that. */
const LATE_TIME = 100;
/**
 * So is one whose goes took that long in the mean of so many ms: what comes in during a long go makes the next one longer, and
 * they get this long where hardly anything of the core is left. That it never waits for work says less: on a core that
 * others use it has some each time that it gets there, and keeps up.
 */
const SLOW_GO = 25;
const LOOK_TIME = 250;
/** How long there are turns when symbols stand otherwise than before, ms: all have been told by then. */
const STATUS_TIME = 250;
/** How long when the node is busy, ms: longer than the last time where the broadcast was open for a moment only. */
const FIRST_REST = 100;
const REST_GROWTH = 4;
const LONGEST_REST = 60_000;
const MOMENT = 1_000;
/** A node whose turns come that late, ms, in the mean of the last of them, is busy too: to tell everything would make it worse. */
const LATE_TURN = 25;
const TURNS_KEPT = 63 / 64;

/** Why the broadcast has been closed: symbols stand otherwise than before, which turns tell; or the node is behind. */
export type BroadcastStop = "status" | "busy";

export class BroadcastGate {
  isOpen = true;
  readonly #table: MarketTable;
  readonly #pacer: Pick<FlushScheduler, "ranAt" | "runs">;
  #statusClock = 0;
  /** How often the pacer had run, and when that was. */
  #runs = 0;
  #lookedAt: number;
  #openedAt = Number.NEGATIVE_INFINITY;
  #opensAt = Number.POSITIVE_INFINITY;
  #rest = FIRST_REST;
  #late = 0;

  constructor(table: MarketTable, pacer: Pick<FlushScheduler, "ranAt" | "runs">) {
    this.#table = table;
    this.#pacer = pacer;
    this.#lookedAt = pacer.ranAt;
  }

  /** Why an open one must be closed before the next tick, if it must. */
  stop(now: number): BroadcastStop | undefined {
    if (this.#table.statusClock !== this.#statusClock) return "status";
    if (now - this.#pacer.ranAt > LATE_TIME) return "busy";
    const time = now - this.#lookedAt;
    if (time < LOOK_TIME) return undefined;
    const { runs } = this.#pacer;
    const isBusy = (runs - this.#runs) * SLOW_GO < time || this.#late > LATE_TURN;
    this.#runs = runs;
    this.#lookedAt = now;
    return isBusy ? "busy" : undefined;
  }

  close(stop: BroadcastStop, now: number): void {
    this.isOpen = false;
    if (stop === "busy")
      this.#rest = now - this.#openedAt < MOMENT ? Math.min(this.#rest * REST_GROWTH, LONGEST_REST) : FIRST_REST;
    this.#opensAt = now + (stop === "busy" ? this.#rest : STATUS_TIME);
  }

  /** A turn has come, so late, ms. */
  noteLateness(late: number): void {
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
    this.#runs = this.#pacer.runs;
    return true;
  }
}
