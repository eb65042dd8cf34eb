/** Compares what a connection holds with what it may see, after its identity has changed. */
import type { RowTable } from "../../market/gateway_table.ts";
import type { VisibleRows } from "../access/visible_rows.ts";
import { emptyGranted, type Granted, type Reviewed } from "./grants.ts";
import type { HeldRows } from "./held_rows.ts";
import type { Grant } from "./patterns.ts";
import { chunks } from "./wanted_rows.ts";

/** What each step has done. */
export type Review = Generator<Reviewed, void, void>;

/** How a held row was granted. */
type Entry = readonly [row: number, grant: Grant, interval: number];

export function* review(table: RowTable, visible: VisibleRows, held: HeldRows, stepSymbols: number): Review {
  for (const chunk of chunks([...held.entries()], stepSymbols)) yield reviewSome(chunk, table, visible, held);
}

function reviewSome(entries: readonly Entry[], table: RowTable, visible: VisibleRows, held: HeldRows): Reviewed {
  const { symbols } = table;
  /** Rows that are held no longer; others take the places of some. */
  const gone = new Set<number>();
  const ended: string[] = [];
  const replaced: number[] = [];
  const moves = new Map<string, { readonly part: Granted; readonly rows: Map<number, string> }>();
  for (const [row, grant, interval] of entries) {
    const access = visible.accessTo(symbols[row]);
    const isReplaced = access !== undefined && access.delay !== visible.delayOf(row);
    const next = !access ? -1 : isReplaced ? visible.hold(symbols[row], access.delay) : row;
    if (next !== row) gone.add(row);
    if (!access || next < 0) {
      ended.push(symbols[row]);
      continue;
    }
    const granted = Math.max(grant.interval, access.interval);
    if (!isReplaced && granted === interval) continue;
    if (isReplaced) replaced.push(next);
    const key = `${grant.interval} ${granted} ${grant.selection}`;
    const move = moves.get(key) ?? { part: emptyGranted(grant, granted), rows: new Map() };
    moves.set(key, move);
    move.rows.set(next, symbols[row]);
  }
  held.remove(gone, (row) => held.release(row));
  const refused = new Set<string>();
  for (const { part, rows } of moves.values()) {
    // What is held already stays, even where the new limit is lower.
    held.move(rows, part, Number.POSITIVE_INFINITY, refused);
    // Those for which there was no memory are held no longer.
    for (const { symbol } of part.rejected.splice(0)) ended.push(symbol);
  }
  for (const row of replaced) visible.release(row);
  held.endEmpty();
  const granted = [...moves.values()].map(({ part }) => part).filter(({ rows }) => rows.length > 0);
  return { ended, granted, replaced };
}
