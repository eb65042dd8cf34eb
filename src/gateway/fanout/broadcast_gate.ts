/**
 * Whether ticks of interval 0 may be broadcast: published once for all subscribers instead of sent with a flush for
 * each (topic_index.ts). A broadcast costs less than the flushes and leaves nothing out; so it is open while the node
 * keeps up and no state has changed. Otherwise flushes send the changes, and leave out what newer ticks have replaced.
 */
import type { MarketTable } from "../../market/table.ts";
import type { FlushScheduler } from "./flush_scheduler.ts";

/** The node is busy when its scheduler has not run for so long, ms: one turn of the event loop took that. */
const LATE_TIME = 100;
/**
 * It is also busy when the runs of the scheduler are so far apart, ms, in the mean of so many ms: what arrives during a
 * long turn of the event loop makes the next one longer, and they get this long when hardly any CPU time is left. An
 * event loop that is never idle is no sign: on a core that other processes use there is always work to do, though the
 * node keeps up.
 */
const SLOW_RUN = 25;
const CHECK_TIME = 250;
/** How long it is closed after a change of state, ms: flushes have sent it to all by then. */
const STATUS_TIME = 250;
/** How long it is closed when the node is busy, ms: longer than the last time if it was open for a moment only. */
const FIRST_REST = 100;
const REST_GROWTH = 4;
const LONGEST_REST = 60_000;
const MOMENT = 1_000;
/**
 * The node is busy, too, when flushes are so late, ms, in the mean of the last ones: to leave nothing out would make it
 * worse.
 */
const LATE_FLUSH = 25;
const LATENESS_KEPT = 63 / 64;

/** Why the broadcast has been closed: a state has changed, which flushes send; or the node is behind. */
export type BroadcastStop = "status" | "busy";

export class BroadcastGate {
  isOpen = true;
  readonly #table: MarketTable;
  readonly #scheduler: Pick<FlushScheduler, "ranAt" | "runs">;
  #statusClock = 0;
  /** How often the scheduler had run at the last check, and when that was. */
  #runs = 0;
  #checkedAt: number;
  #openedAt = Number.NEGATIVE_INFINITY;
  #opensAt = Number.POSITIVE_INFINITY;
  #rest = FIRST_REST;
  #late = 0;

  constructor(table: MarketTable, scheduler: Pick<FlushScheduler, "ranAt" | "runs">) {
    this.#table = table;
    this.#scheduler = scheduler;
    this.#checkedAt = scheduler.ranAt;
  }

  /** @returns why it must be closed before the next tick, or undefined when it need not be */
  findStop(now: number): BroadcastStop | undefined {
    if (this.#table.statusClock !== this.#statusClock) return "status";
    if (now - this.#scheduler.ranAt > LATE_TIME) return "busy";
    const time = now - this.#checkedAt;
    if (time < CHECK_TIME) return undefined;
    const { runs } = this.#scheduler;
    const isBusy = (runs - this.#runs) * SLOW_RUN < time || this.#late > LATE_FLUSH;
    this.#runs = runs;
    this.#checkedAt = now;
    return isBusy ? "busy" : undefined;
  }

  close(stop: BroadcastStop, now: number): void {
    this.isOpen = false;
    if (stop === "busy")
      this.#rest = now - this.#openedAt < MOMENT ? Math.min(this.#rest * REST_GROWTH, LONGEST_REST) : FIRST_REST;
    this.#opensAt = now + (stop === "busy" ? this.#rest : STATUS_TIME);
  }

  /** A flush was so late, ms. */
  noteLateness(late: number): void {
    this.#late = this.#late * LATENESS_KEPT + late * (1 - LATENESS_KEPT);
  }

  /** Opens it, if it is closed and may be open. @returns whether it has been opened */
  tryOpen(now: number): boolean {
    if (this.isOpen) return false;
    // As long as states change, some have not been sent to all.
    if (this.#table.statusClock !== this.#statusClock) {
      this.#statusClock = this.#table.statusClock;
      this.#opensAt = Math.max(this.#opensAt, now + STATUS_TIME);
    }
    if (now < this.#opensAt || this.#late > LATE_FLUSH) return false;
    this.isOpen = true;
    this.#openedAt = this.#checkedAt = now;
    this.#runs = this.#scheduler.runs;
    return true;
  }
}
