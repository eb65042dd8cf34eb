/** The one cell of the grid that the Tab key reaches: the one that had the focus last. */
export class TabStop {
  #cell: HTMLElement | undefined;
  /** Whether an element with the focus has left the page since the last {@link moveTo}. */
  #hasLostFocus = false;

  /** An element of the grid is about to leave the page, or to show another row. */
  release(element: HTMLElement): void {
    if (element.contains(document.activeElement)) this.#hasLostFocus = true;
  }

  /** Makes a cell the one that the Tab key reaches. */
  set(cell: HTMLElement | undefined): void {
    if (cell === this.#cell) return;
    if (this.#cell) this.#cell.tabIndex = -1;
    if (cell) cell.tabIndex = 0;
    this.#cell = cell;
  }

  /**
   * The same, and moves the focus to it if the cell before had the focus: its row may be gone, or have another element.
   */
  moveTo(cell: HTMLElement | undefined): void {
    const hadFocus = this.#hasLostFocus || (this.#cell !== undefined && document.activeElement === this.#cell);
    this.#hasLostFocus = false;
    this.set(cell);
    if (hadFocus && document.activeElement !== cell) cell?.focus({ preventScroll: true });
  }
}
