/**
 * The flash of a price that has changed: an edge and a tint for up or down, which fade in two steps. It is not a CSS
 * animation: hundreds of those at once would make the browser compute its layers again for each.
 */

/** How long each of the two steps is, ms. */
const STEP = 260;

type Cells = Map<HTMLElement, number>;

export class Flashes {
  /** When each flash began, ms; the oldest first. */
  readonly #fresh: Cells = new Map();
  readonly #fading: Cells = new Map();

  /** Begins a flash, or begins it again. @param direction above 0 for up, below for down */
  begin(cell: HTMLElement, direction: number, now: number): void {
    const name = direction > 0 ? "up" : "down";
    if (cell.dataset.flash !== name) cell.dataset.flash = name;
    this.#fading.delete(cell);
    this.#fresh.delete(cell);
    this.#fresh.set(cell, now);
  }

  end(cell: HTMLElement): void {
    const wasFresh = this.#fresh.delete(cell);
    if (this.#fading.delete(cell) || wasFresh) delete cell.dataset.flash;
  }

  /** Takes all flashes that are due to their next step. */
  step(now: number): void {
    for (const [cell, since] of this.#fading) {
      if (now - since < 2 * STEP) break;
      this.end(cell);
    }
    for (const [cell, since] of this.#fresh) {
      if (now - since < STEP) break;
      this.#fresh.delete(cell);
      this.#fading.set(cell, since);
      cell.dataset.flash += "-fading";
    }
  }

  /** Whether a flash has not ended yet. */
  get areLit(): boolean {
    return this.#fresh.size > 0 || this.#fading.size > 0;
  }
}
