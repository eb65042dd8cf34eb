/** The flash of a cell whose value has changed: up or down, told by an edge and a tint. */

/**
 * Starts it anew. Two names for one animation take turns: another name begins again by itself, which the same one would
 * only do after the browser has been made to lay the page out.
 */
export function flash(cell: HTMLElement, direction: number): void {
  const way = direction > 0 ? "up" : "down";
  cell.dataset.flash = cell.dataset.flash === `${way}-a` ? `${way}-b` : `${way}-a`;
}

export function endFlash(cell: HTMLElement): void {
  if (cell.dataset.flash !== undefined) delete cell.dataset.flash;
}
