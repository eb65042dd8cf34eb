/** The sizes in the grid: which columns fit, where they are, and how high a row is. They depend on the grid's width. */
import { COLUMNS, type ColumnId, columnsFor, layOut, PHONE_WIDTH } from "./columns.ts";

/** Heights of a row: on a phone, which has two lines; for a finger; for a mouse. CSS pixels. */
const PHONE_ROW = 60;
const FINGER_ROW = 44;
const MOUSE_ROW = 30;

export class Dimensions {
  /** The columns that fit, in their order. */
  columns: readonly ColumnId[] = COLUMNS.map((column) => column.id);
  /** The same, as a set. */
  shownColumns: ReadonlySet<ColumnId> = new Set(this.columns);
  rowHeight = MOUSE_ROW;
  /** The size of a trend, CSS pixels. */
  trendWidth = 96;
  trendHeight = MOUSE_ROW - 8;

  /** Measures the grid's element, and sets what the style sheet needs to know on it. */
  measure(element: HTMLElement): void {
    const { clientWidth } = element;
    const isPhone = clientWidth < PHONE_WIDTH;
    const isFinger = matchMedia("(pointer: coarse)").matches;
    const columns = columnsFor(clientWidth);
    element.dataset.form = isPhone ? "phone" : "table";
    this.columns = columns.map((column) => column.id);
    this.shownColumns = new Set(this.columns);
    for (const { id, left, width } of layOut(columns, clientWidth)) {
      element.style.setProperty(`--${id}-left`, `${left}px`);
      element.style.setProperty(`--${id}-width`, `${width}px`);
    }
    element.dataset.hide = COLUMNS.filter(({ id }) => !this.shownColumns.has(id))
      .map(({ id }) => id)
      .join(" ");
    this.rowHeight = isPhone ? PHONE_ROW : isFinger ? FINGER_ROW : MOUSE_ROW;
    this.trendWidth = isPhone ? 84 : 96;
    this.trendHeight = isPhone ? 34 : this.rowHeight - 8;
    element.style.setProperty("--row", `${this.rowHeight}px`);
  }
}
