/** Batches changes of state into as few `status` messages as possible: one for each state and reason. */

import { LIVE, STATES } from "../../base/tick.ts";
import { type MarketName, marketKeys } from "../../market/market_name.ts";
import type { MarketTable } from "../../market/table.ts";
import type { Status } from "../../protocol/messages.ts";
import { splitParts, symbolBytes } from "./message_parts.ts";

export class StatusBatcher {
  readonly #table: MarketTable;
  readonly #gathered = new Map<string, Status>();
  readonly #now: () => number;

  readonly #keys: ReturnType<typeof marketKeys>;

  /** @param now microseconds since the Unix epoch */
  constructor(table: MarketTable, now: () => number, name: MarketName = "quote") {
    this.#table = table;
    this.#now = now;
    this.#keys = marketKeys(name);
  }

  /** Ticks of the symbol were missed, or its `seq` went back. */
  addGap(row: number, reset: boolean): void {
    this.#add("gap", reset ? "reset" : "missed", this.#now(), row);
  }

  /** So many ticks of the symbol will never be sent to this client. */
  addMissed(row: number, missed: number): void {
    this.#add("gap", "missed", this.#now(), row, missed);
  }

  /** The state of the symbol has changed. */
  addState(row: number): void {
    const state = STATES[this.#table.state[row]];
    this.#add(state, this.#table.reasons[row], this.#table.since[row], row);
  }

  /** The symbol has been granted: its state is sent only where it is not live. */
  addFirst(row: number): void {
    if (this.#table.state[row] !== LIVE) this.addState(row);
  }

  /** Sends the batch. */
  sendTo(receiver: { send(message: Status): void }): void {
    if (this.#gathered.size === 0) return;
    for (const message of this.take()) receiver.send(message);
  }

  /**
   * Takes the batch: gaps first, since a state may follow from the tick that healed one.
   * `since` of several symbols is the latest for `live`, and the earliest for all other states.
   */
  take(): Status[] {
    if (this.#gathered.size === 0) return [];
    const messages: Status[] = [];
    for (const gathered of this.#gathered.values()) {
      for (const symbols of splitParts(gathered.symbols, symbolBytes)) messages.push({ ...gathered, symbols });
    }
    this.#gathered.clear();
    return messages.sort((a, b) => Number(b.state === "gap") - Number(a.state === "gap"));
  }

  #add(state: Status["state"], reason: string, since: number, row: number, missed?: number): void {
    const symbol = this.#table.symbols[row];
    const key = `${state} ${reason} ${missed}`;
    const gathered = this.#gathered.get(key);
    if (!gathered) {
      this.#gathered.set(key, {
        op: "status",
        ...this.#keys,
        symbols: [symbol],
        state,
        ...(reason ? { reason } : {}),
        ...(missed === undefined ? this.#unknownMissed(state) : { missed }),
        since,
      });
      return;
    }
    gathered.symbols.push(symbol);
    gathered.since = state === "live" ? Math.max(gathered.since, since) : Math.min(gathered.since, since);
  }

  /** A gap of trades says how many are missed, or that it is not known. */
  #unknownMissed(state: Status["state"]): { missed?: null } {
    return state === "gap" && this.#table.payload.keepsEach ? { missed: null } : {};
  }
}
