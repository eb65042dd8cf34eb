/** Fits a table to a terminal: selects the columns and their widths. */
import { cut } from "./style.ts";

/** The properties of a column. */
export interface FittedColumn {
  readonly title: string;
  /** When there is no room, the column with the highest number is left out first. */
  readonly rank: number;
  readonly left?: boolean;
  /** Whether it takes the remaining width, and is cut when that is too little; one column in a table. */
  readonly elastic?: boolean;
}

/** The index of a column, and its width in characters. */
export type Fitted = readonly [index: number, space: number];

const GAP = 2;
/** The least width of an elastic column before other columns, and finally itself, are left out. */
const COMFORT = 40;
const LEAST = 16;

export class TableFit {
  readonly #columns: readonly FittedColumn[];
  /** The widest cell of each column so far: a table whose widths change is hard to read. */
  readonly #widths: number[];

  constructor(columns: readonly FittedColumn[]) {
    this.#columns = columns;
    this.#widths = columns.map(({ title }) => title.length);
  }

  /** The columns for these rows; the least important are left out first. */
  fit(rows: readonly (readonly string[])[], width: number): Fitted[] {
    let columns = this.#widths.map((widest, index): [number, number] => {
      for (const cells of rows) widest = Math.max(widest, cells[index].length);
      this.#widths[index] = widest;
      return [index, widest];
    });
    const isElastic = (index: number) => this.#columns[index].elastic === true;
    let elastic = COMFORT;
    const least = (index: number, space: number) => (isElastic(index) ? Math.min(elastic, space) : space);
    const total = () => columns.reduce((sum, [index, space]) => sum + least(index, space) + GAP, -GAP);
    const dropping = [...columns].sort(([a], [b]) => this.#columns[b].rank - this.#columns[a].rank);
    for (const [dropped] of dropping) {
      if (isElastic(dropped)) elastic = LEAST;
      if (total() <= width || columns.length === 1) break;
      columns = columns.filter(([index]) => index !== dropped);
    }
    const left = Math.max(0, width - total());
    return columns.map(([index, space]) => [
      index,
      Math.min(space, isElastic(index) ? least(index, space) + left : width),
    ]);
  }

  /** The line of titles. */
  titles(columns: readonly Fitted[], width: number): string {
    const titles = this.#columns.map(({ title }) => title);
    return cut(this.line(columns, titles), width).padEnd(width);
  }

  /**
   * A line of one row's cells.
   * @param paint colours a cell after it has its width
   */
  line(columns: readonly Fitted[], cells: readonly string[], paint = (text: string, _index: number) => text): string {
    return columns
      .map(([index, space]) => {
        const fitting = cut(cells[index], space);
        return paint(this.#columns[index].left ? fitting.padEnd(space) : fitting.padStart(space), index);
      })
      .join(" ".repeat(GAP));
  }
}
