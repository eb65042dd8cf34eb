/**
 * The way not taken, to be measured against the one that is: a subscription that walks the market's list of recent
 * changes instead of its own symbols. Both ways here are the bare loops, so that nothing but the loops differs.
 */
import type { Frame } from "../src/gateway/frame.ts";
import type { TickEncoder } from "../src/market/encoder.ts";
import type { MarketTable } from "../src/market/table.ts";

/** What a walk of either kind needs. */
export interface Walked {
  readonly table: MarketTable;
  readonly encoder: TickEncoder;
  readonly frame: Frame;
  /** The rows subscribed to, and the `seq` told of each. */
  readonly rows: Int32Array;
  readonly told: Float64Array;
}

/** Goes through the subscription, as `Subscription` does. */
export function walkSubscription({ table, encoder, frame, rows, told }: Walked): void {
  const { seq } = table;
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index];
    if (seq[row] === told[index]) continue;
    frame.add(encoder, row);
    told[index] = seq[row];
  }
}

/**
 * Goes through the changes of the market since the last pass.
 * @param changes the row of each change, one behind the other; a row with several is told at the last of them
 * @param positions by row, where it stands in the subscription; -1 where it does not
 */
export function walkChanges({ table, encoder, frame, told }: Walked, changes: Int32Array, positions: Int32Array): void {
  const { seq } = table;
  for (let change = 0; change < changes.length; change++) {
    const row = changes[change];
    const index = positions[row];
    if (index < 0 || seq[row] === told[index]) continue;
    frame.add(encoder, row);
    told[index] = seq[row];
  }
}
