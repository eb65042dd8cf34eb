/**
 * A row's trend as a line: the price since the page first received it. Drawn as SVG, which is painted with the row:
 * each canvas would be a layer of its own, and fifty of them cost more than the rest of the grid.
 */
import type { History } from "../state/history.ts";

const SVG = "http://www.w3.org/2000/svg";
/** Room for the line's own width at the edges, CSS pixels. */
const MARGIN = 2;

export class Sparkline {
  readonly element = document.createElementNS(SVG, "svg");
  readonly #level = document.createElementNS(SVG, "path");
  readonly #line = document.createElementNS(SVG, "path");
  readonly #dot = document.createElementNS(SVG, "path");

  constructor() {
    this.element.setAttribute("aria-hidden", "true");
    this.#level.setAttribute("class", "level");
    this.#dot.setAttribute("class", "dot");
    this.element.append(this.#level, this.#line, this.#dot);
  }

  /**
   * @param reference a price to show as a level if it is in the range of the others: the open
   * @param width and height in CSS pixels
   */
  draw(history: History, reference: number | null, width: number, height: number): void {
    this.element.setAttribute("width", String(width));
    this.element.setAttribute("height", String(height));
    const count = history.length;
    if (count === 0) return this.clear();
    let [lowest, highest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let index = 0; index < count; index++) {
      const price = history.closeAt(index);
      if (price < lowest) lowest = price;
      if (price > highest) highest = price;
    }
    const first = history.timeAt(0);
    const span = Math.max(history.timeAt(count - 1) - first, 1);
    const rise = highest - lowest;
    const x = (index: number) => tenth(MARGIN + ((history.timeAt(index) - first) / span) * (width - 3 * MARGIN));
    // A price that has not changed is a line in the middle.
    const y = (price: number) =>
      tenth(rise === 0 ? height / 2 : MARGIN + ((highest - price) / rise) * (height - 2 * MARGIN));

    let line = `M${x(0)} ${y(history.closeAt(0))}`;
    for (let index = 1; index < count; index++) line += `L${x(index)} ${y(history.closeAt(index))}`;
    this.#line.setAttribute("d", line);
    this.#dot.setAttribute("d", `M${x(count - 1)} ${y(history.closeAt(count - 1))}h0`);
    const hasLevel = reference !== null && reference >= lowest && reference <= highest && rise > 0;
    this.#level.setAttribute("d", hasLevel ? `M0 ${y(reference)}H${width}` : "");
  }

  clear(): void {
    for (const path of [this.#level, this.#line, this.#dot]) path.setAttribute("d", "");
  }
}

function tenth(value: number): number {
  return Math.round(value * 10) / 10;
}
