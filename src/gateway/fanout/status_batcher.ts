/** Gathers how symbols stand into as few `status` messages as say it: one for each state and reason. */

import { LIVE, STATES } from "../../base/tick.ts";
import type { MarketTable } from "../../market/table.ts";
import type { Status } from "../../protocol/messages.ts";
import { parts, symbolBytes } from "./message_parts.ts";

export class StatusBatcher {
  readonly #table: MarketTable;
  readonly #gathered = new Map<string, Status>();
  readonly #now: () => number;

  /** @param now microseconds since the Unix epoch */
  constructor(table: MarketTable, now: () => number) {
    this.#table = table;
    this.#now = now;
  }

  /** Ticks of the symbol were missed, or its `seq` went back. */
  gap(row: number, reset: boolean): void {
    this.#gather("gap", reset ? "reset" : "missed", this.#now(), row);
  }

  /** The symbol stands so from now on. */
  state(row: number): void {
    const state = STATES[this.#table.state[row]];
    this.#gather(state, this.#table.reasons[row], this.#table.since[row], row);
  }

  /** The symbol is about to be told for the first time: only what is not as one would expect. */
  first(row: number): void {
    if (this.#table.state[row] !== LIVE) this.state(row);
  }

  /** Sends what was gathered. */
  sendTo(receiver: { send(message: Status): void }): void {
    if (this.#gathered.size === 0) return;
    for (const message of this.take()) receiver.send(message);
  }

  /**
   * Takes what was gathered: gaps first, since a state may follow from the tick that healed one.
   * `since` of several symbols is the earliest of a state that warns, the latest of one that reassures.
   */
  take(): Status[] {
    if (this.#gathered.size === 0) return [];
    const messages: Status[] = [];
    for (const gathered of this.#gathered.values()) {
      for (const symbols of parts(gathered.symbols, symbolBytes)) messages.push({ ...gathered, symbols });
    }
    this.#gathered.clear();
    return messages.sort((a, b) => Number(b.state === "gap") - Number(a.state === "gap"));
  }

  #gather(state: Status["state"], reason: string, since: number, row: number): void {
    const symbol = this.#table.symbols[row];
    const key = `${state} ${reason}`;
    const gathered = this.#gathered.get(key);
    if (!gathered) {
      this.#gathered.set(key, { op: "status", symbols: [symbol], state, ...(reason ? { reason } : {}), since });
      return;
    }
    gathered.symbols.push(symbol);
    gathered.since = state === "live" ? Math.max(gathered.since, since) : Math.min(gathered.since, since);
  }
}
