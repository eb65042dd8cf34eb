/** The head of the grid: the names of the columns, and the sort column. */

import type { Sort } from "../state/keep.ts";
import { COLUMNS, type ColumnId } from "./columns.ts";

export class HeadView {
  readonly element = document.createElement("div");
  readonly #cells: ReadonlyMap<ColumnId, HTMLElement>;

  constructor() {
    this.element.className = "head";
    this.element.setAttribute("role", "rowgroup");
    const row = document.createElement("div");
    row.className = "row";
    row.setAttribute("role", "row");
    row.setAttribute("aria-rowindex", "1");
    this.element.append(row);
    this.#cells = new Map(
      COLUMNS.map(({ id, title, hint, sort }, index) => {
        const cell = document.createElement("div");
        cell.className = `cell ${id}`;
        cell.setAttribute("role", "columnheader");
        cell.setAttribute("aria-colindex", String(index + 1));
        cell.tabIndex = -1;
        cell.dataset.column = id;
        if (hint) cell.title = hint;
        if (sort) cell.dataset.sortable = "true";
        cell.textContent = title;
        row.append(cell);
        return [id, cell];
      }),
    );
  }

  get hasFocus(): boolean {
    return this.element.contains(document.activeElement);
  }

  cellOf(id: ColumnId | undefined): HTMLElement | undefined {
    return id && this.#cells.get(id);
  }

  setSort(sort: Sort | undefined): void {
    for (const { id, sort: key } of COLUMNS) {
      const cell = this.#cells.get(id);
      if (!cell || !key) continue;
      if (key === sort?.key) cell.setAttribute("aria-sort", sort.isDescending ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
  }
}
