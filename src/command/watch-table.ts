/** The live table: rows for symbols, fitted to a terminal. It draws text; the screen shows it. */
import type { Quote } from "../client/client.ts";
import { COLUMNS, type Column, learnDecimals, MOVE_SHOWN, type Row } from "./watch-column.ts";
import { cut, type Style } from "./watch-style.ts";

/** In what order rows stand. */
export type Order = "symbol" | "activity";

const GAP = 2;
/** How much of a row's activity is left a second later. */
const FADING = 0.7;

export class WatchTable {
  order: Order;
  readonly #style: Style;
  readonly #now: () => number;
  readonly #rows = new Map<string, Row>();
  /** The rows in order. */
  #sorted: Row[] = [];
  #isSorted = true;
  /** By column, the widest that its cells have been: a table that breathes cannot be read. */
  readonly #widths = new Map<Column, number>();

  /** @param now microseconds since the Unix epoch, by the gateway's clock */
  constructor(order: Order, style: Style, now: () => number) {
    this.order = order;
    this.#style = style;
    this.#now = now;
  }

  get size(): number {
    return this.#rows.size;
  }

  granted(quote: Quote): void {
    if (this.#rows.has(quote.symbol)) return;
    const row: Row = { quote, decimals: 0, last: null, move: 0, movedAt: 0, activity: 0, counted: 0 };
    this.#rows.set(quote.symbol, row);
    this.#sorted.push(row);
    this.#isSorted = false;
  }

  ended(quote: Quote): void {
    this.#rows.delete(quote.symbol);
    this.#sorted = this.#sorted.filter((row) => row.quote !== quote);
  }

  tick(quote: Quote): void {
    const row = this.#rows.get(quote.symbol);
    if (!row) return;
    const last = quote.get("last");
    if (last !== null && row.last !== null && last !== row.last) {
      row.move = last > row.last ? 1 : -1;
      row.movedAt = this.#now();
    }
    row.last = last;
  }

  /** Once a second: how active each row is, and the order that follows from it. */
  second(): void {
    for (const row of this.#sorted) {
      const total = row.quote.ticks + row.quote.conflated;
      row.activity = row.activity * FADING + (total - row.counted);
      row.counted = total;
    }
    if (this.order === "activity") this.#isSorted = false;
  }

  /** The next order. */
  toggle(): void {
    this.order = this.order === "symbol" ? "activity" : "symbol";
    this.#isSorted = false;
  }

  /** A line of titles and as many rows as there is room for. */
  draw(width: number, height: number): string[] {
    if (!this.#isSorted) this.#sort();
    const now = this.#now();
    const rows = this.#sorted.slice(0, Math.max(0, height - 1));
    rows.forEach(learnDecimals);
    const cells = rows.map((row) => COLUMNS.map((column) => column.text(row, now)));
    const columns = this.#fit(cells, width);
    const titles = columns.map(([index, space]) => aligned(COLUMNS[index], COLUMNS[index].title, space));
    const lines = [this.#style.title(cut(titles.join(" ".repeat(GAP)), width).padEnd(width))];
    for (const [at, row] of rows.entries()) lines.push(this.#line(row, cells[at], columns, now));
    return lines.slice(0, height);
  }

  #line(row: Row, cells: readonly string[], columns: readonly [number, number][], now: number): string {
    const { state } = row.quote;
    const line = columns.map(([index, space]) => {
      const column = COLUMNS[index];
      const text = aligned(column, cells[index], space);
      if (column.title === "state") return this.#style.state(text, state);
      if (state !== "live") return this.#style.old(text);
      if (column.title === "last" && now - row.movedAt < MOVE_SHOWN) return this.#style.move(text, row.move);
      if (column.title === "change") return this.#style.sign(text, cells[index]);
      return text;
    });
    return line.join(" ".repeat(GAP));
  }

  /** Which columns there is room for, and how wide each is; the least wanted are left out first. */
  #fit(cells: readonly (readonly string[])[], width: number): [index: number, space: number][] {
    let columns = COLUMNS.map((column, index): [number, number] => {
      let space = Math.max(this.#widths.get(column) ?? 0, column.title.length);
      for (const row of cells) space = Math.max(space, row[index].length);
      this.#widths.set(column, space);
      return [index, space];
    });
    const total = () => columns.reduce((sum, [, space]) => sum + space + GAP, -GAP);
    const dropping = [...columns].sort(([a], [b]) => COLUMNS[b].rank - COLUMNS[a].rank);
    for (const [least] of dropping) {
      if (total() <= width || columns.length === 1) break;
      columns = columns.filter(([index]) => index !== least);
    }
    return columns.map(([index, space]) => [index, Math.min(space, width)]);
  }

  #sort(): void {
    const bySymbol = (a: Row, b: Row) => (a.quote.symbol < b.quote.symbol ? -1 : 1);
    this.#sorted.sort(this.order === "symbol" ? bySymbol : (a, b) => b.activity - a.activity || bySymbol(a, b));
    this.#isSorted = true;
  }
}

function aligned({ left }: Column, text: string, space: number): string {
  const fitting = cut(text, space);
  return left ? fitting.padEnd(space) : fitting.padStart(space);
}
