/**
 * The flash of a price that has changed: up or down, told by an edge and a tint, in two steps and then no more. It is no
 * animation of the browser's: hundreds of those at once would each have it lay its layers anew.
 */

/** How long each of the two steps is, ms. */
const STEP = 260;

type Cells = Map<HTMLElement, number>;

export class Flashes {
  /** When they began, ms; the oldest first. */
  readonly #fresh: Cells = new Map();
  readonly #fading: Cells = new Map();

  /** Begins one, anew where one is under way. @param direction above 0 for up, below for down */
  begin(cell: HTMLElement, direction: number, now: number): void {
    const way = direction > 0 ? "up" : "down";
    if (cell.dataset.flash !== way) cell.dataset.flash = way;
    this.#fading.delete(cell);
    this.#fresh.delete(cell);
    this.#fresh.set(cell, now);
  }

  end(cell: HTMLElement): void {
    const wasFresh = this.#fresh.delete(cell);
    if (this.#fading.delete(cell) || wasFresh) delete cell.dataset.flash;
  }

  /** Takes all on that are due. */
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

  /** Whether there is something left to take on. */
  get areLit(): boolean {
    return this.#fresh.size > 0 || this.#fading.size > 0;
  }
}
