/**
 * Puts the elements of rows into the order of the rows. Screen readers read elements in their order in the document.
 * The grid positions rows by style, so it can do this late: moving elements while the list scrolls would cost frames.
 */

/** How long no row must have moved before the elements are put in order, ms. */
const REST = 400;

export class ElementOrder {
  readonly #canvas: HTMLElement;
  readonly #inOrder: () => readonly HTMLElement[];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #movedAt = 0;

  /** @param inOrder the elements of the rows, in the order of the rows */
  constructor(canvas: HTMLElement, inOrder: () => readonly HTMLElement[]) {
    this.#canvas = canvas;
    this.#inOrder = inOrder;
  }

  /** Rows have moved: orders the elements when none has moved for a while. */
  schedule(): void {
    this.#movedAt = performance.now();
    this.#wait(REST);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(millis: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const rest = REST - (performance.now() - this.#movedAt);
      if (rest > 0) this.#wait(rest);
      else this.#order();
    }, millis);
  }

  /** The element with the focus is not moved: moving it would take the focus from it. */
  #order(): void {
    const elements = this.#inOrder();
    const present = [...this.#canvas.querySelectorAll<HTMLElement>(":scope > .row")];
    if (elements.every((element, index) => element === present[index])) return;
    const pivot = elements.find((element) => element.contains(document.activeElement));
    let isBefore = pivot !== undefined;
    for (const element of elements) {
      if (element === pivot) isBefore = false;
      else this.#canvas.insertBefore(element, isBefore ? (pivot as HTMLElement) : null);
    }
  }
}
