/** How keys move the active cell: a row and a column. Row -1 is the head. */

/** The size of the grid. */
export interface GridExtent {
  readonly rows: number;
  /** The number of cells in a row: a group's head has one. */
  readonly columns: (row: number) => number;
  /** Rows that fit on the screen. */
  readonly screenRows: number;
}

export interface CellPosition {
  readonly row: number;
  readonly column: number;
}

/** The position that a key moves to; undefined for keys that do not move. */
export function moved(
  { row, column }: CellPosition,
  key: string,
  isControl: boolean,
  extent: GridExtent,
): CellPosition | undefined {
  const to = (nextRow: number, nextColumn: number): CellPosition => {
    const held = Math.min(Math.max(nextRow, -1), extent.rows - 1);
    return { row: held, column: Math.min(Math.max(nextColumn, 0), extent.columns(held) - 1) };
  };
  switch (key) {
    case "ArrowUp":
      return to(row - 1, column);
    case "ArrowDown":
      return to(row + 1, column);
    case "ArrowLeft":
      return to(row, Math.min(column, extent.columns(row) - 1) - 1);
    case "ArrowRight":
      return to(row, column + 1);
    case "PageUp":
      return to(Math.max(row - extent.screenRows, Math.min(row, 0)), column);
    case "PageDown":
      return to(row + extent.screenRows, column);
    case "Home":
      return isControl ? to(0, 0) : to(row, 0);
    case "End":
      return isControl ? to(extent.rows - 1, Number.MAX_SAFE_INTEGER) : to(row, Number.MAX_SAFE_INTEGER);
    default:
      return undefined;
  }
}
