/** Where the keyboard is in the grid: a row, by its key, and a column. Row -1 is the head. */

/** What there is to move about in. */
export interface Field {
  readonly rows: number;
  /** Cells of a row: a group's head has one. */
  readonly columns: (row: number) => number;
  /** Rows that fit on the screen. */
  readonly page: number;
}

export interface Place {
  readonly row: number;
  readonly column: number;
}

/** Keys that move, and what they do; the others are nothing to us. */
export function moved({ row, column }: Place, key: string, isControl: boolean, field: Field): Place | undefined {
  const to = (nextRow: number, nextColumn: number): Place => {
    const held = Math.min(Math.max(nextRow, -1), field.rows - 1);
    return { row: held, column: Math.min(Math.max(nextColumn, 0), field.columns(held) - 1) };
  };
  switch (key) {
    case "ArrowUp":
      return to(row - 1, column);
    case "ArrowDown":
      return to(row + 1, column);
    case "ArrowLeft":
      return to(row, Math.min(column, field.columns(row) - 1) - 1);
    case "ArrowRight":
      return to(row, column + 1);
    case "PageUp":
      return to(Math.max(row - field.page, Math.min(row, 0)), column);
    case "PageDown":
      return to(row + field.page, column);
    case "Home":
      return isControl ? to(0, 0) : to(row, 0);
    case "End":
      return isControl ? to(field.rows - 1, Number.MAX_SAFE_INTEGER) : to(row, Number.MAX_SAFE_INTEGER);
    default:
      return undefined;
  }
}
