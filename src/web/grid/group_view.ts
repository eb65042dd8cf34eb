/** The head of a pattern's rows: its name, the number of rows, and whether they are folded. */
import { countText, NOTHING } from "../state/number.ts";
import type { GroupRow } from "../state/rows.ts";

export class GroupView {
  readonly element = document.createElement("div");
  /** Its only cell. */
  readonly cell = document.createElement("div");
  row: GroupRow | undefined;
  readonly #fold = span("fold");
  readonly #name = span("name");
  readonly #count = span("count");

  constructor() {
    this.element.className = "row group";
    this.element.setAttribute("role", "row");
    this.cell.className = "cell";
    this.cell.setAttribute("role", "gridcell");
    this.cell.tabIndex = -1;
    this.element.append(this.cell);
    this.#fold.setAttribute("aria-hidden", "true");
    this.cell.append(this.#fold, this.#name, " ", this.#count);
  }

  /** @param top its position in the list, CSS pixels */
  moveTo(top: number): void {
    this.element.style.top = `${top}px`;
  }

  show(row: GroupRow, index: number, columns: number, refusal: string | undefined): void {
    this.row = row;
    this.element.setAttribute("aria-rowindex", String(index + 2));
    this.cell.setAttribute("aria-expanded", String(!row.isFolded));
    this.element.dataset.symbol = row.pattern;
    this.cell.setAttribute("aria-colspan", String(columns));
    this.#fold.textContent = row.isFolded ? "▸" : "▾";
    this.#name.textContent = row.pattern;
    const symbols = row.count === 1 ? "symbol" : "symbols";
    this.#count.textContent =
      refusal ?? (row.count === 0 ? `${NOTHING} none yet` : `${countText(row.count)} ${symbols}`);
  }
}

function span(name: string): HTMLElement {
  const element = document.createElement("span");
  element.className = name;
  return element;
}
