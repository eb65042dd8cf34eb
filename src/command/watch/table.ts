/** The live table: one row a symbol, fitted to the terminal. It returns lines of text; the screen writes them. */
import type { Quote } from "../../client/client.ts";
import { type Fitted, TableFit } from "../terminal/fit.ts";
import type { Style } from "../terminal/style.ts";
import { COLUMNS, learnDecimals, MOVE_SHOWN, type Row } from "./column.ts";

/** The order of the rows. */
export type Order = "symbol" | "activity";

/** The part of a row's activity that remains after a second. */
const FADING = 0.7;

export class WatchTable {
  order: Order;
  readonly #style: Style;
  readonly #now: () => number;
  readonly #rows = new Map<string, Row>();
  /** The rows in order. */
  #sorted: Row[] = [];
  #isSorted = true;
  readonly #fit = new TableFit(COLUMNS);

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

  /** Updates the activity of each row, and the order, once a second. */
  second(): void {
    for (const row of this.#sorted) {
      const total = row.quote.ticks + row.quote.conflated;
      row.activity = row.activity * FADING + (total - row.counted);
      row.counted = total;
    }
    if (this.order === "activity") this.#isSorted = false;
  }

  /** Changes the order. */
  toggle(): void {
    this.order = this.order === "symbol" ? "activity" : "symbol";
    this.#isSorted = false;
  }

  /** The line of titles, and as many rows as fit. */
  draw(width: number, height: number): string[] {
    if (!this.#isSorted) this.#sort();
    const now = this.#now();
    const rows = this.#sorted.slice(0, Math.max(0, height - 1));
    rows.forEach(learnDecimals);
    const cells = rows.map((row) => COLUMNS.map((column) => column.text(row, now)));
    const columns = this.#fit.fit(cells, width);
    const lines = [this.#style.title(this.#fit.titles(columns, width))];
    for (const [at, row] of rows.entries()) lines.push(this.#line(row, cells[at], columns, now));
    return lines.slice(0, height);
  }

  #line(row: Row, cells: readonly string[], columns: readonly Fitted[], now: number): string {
    const { state } = row.quote;
    return this.#fit.line(columns, cells, (text, index) => {
      const { title } = COLUMNS[index];
      if (title === "state") return this.#style.state(text, state);
      if (state !== "live") return this.#style.old(text);
      if (title === "last" && now - row.movedAt < MOVE_SHOWN) return this.#style.move(text, row.move);
      if (title === "change") return this.#style.sign(text, cells[index]);
      return text;
    });
  }

  #sort(): void {
    const bySymbol = (a: Row, b: Row) => (a.quote.symbol < b.quote.symbol ? -1 : 1);
    this.#sorted.sort(this.order === "symbol" ? bySymbol : (a, b) => b.activity - a.activity || bySymbol(a, b));
    this.#isSorted = true;
  }
}
