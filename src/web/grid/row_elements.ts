/** The elements of the rows near the screen. An element that one row no longer needs is used for another row. */
import { keyOf, type Row } from "../state/rows.ts";
import { GroupView } from "./group_view.ts";
import { RowView } from "./row_view.ts";
import type { TabStop } from "./tab_stop.ts";

export class RowElements {
  readonly byKey = new Map<string, RowView | GroupView>();
  readonly #canvas: HTMLElement;
  readonly #tabStop: TabStop;

  /** @param canvas holds the elements */
  constructor(canvas: HTMLElement, tabStop: TabStop) {
    this.#canvas = canvas;
    this.#tabStop = tabStop;
  }

  /** Gives each of these rows an element, and takes the elements of all others away. @returns them in the same order */
  assign(rows: readonly Row[]): (RowView | GroupView)[] {
    const needed = new Set(rows.map(keyOf));
    const spare: RowView[] = [];
    for (const [key, view] of this.byKey) {
      if (needed.has(key)) continue;
      this.#forget(key, view);
      if (view instanceof RowView) spare.push(view);
      else view.element.remove();
    }
    const views = rows.map((row) => this.#viewOf(row, spare));
    for (const view of spare) view.element.remove();
    return views;
  }

  /** The symbols that have an element. */
  get symbols(): string[] {
    return [...this.byKey].flatMap(([key, view]) => (view instanceof RowView ? [key] : []));
  }

  /** The element of a row: its own, a spare one, or a new one. */
  #viewOf(row: Row, spare: RowView[]): RowView | GroupView {
    const key = keyOf(row);
    const found = this.byKey.get(key);
    if (found && found instanceof RowView === (row.kind === "symbol")) return found;
    if (found) {
      this.#forget(key, found);
      found.element.remove();
    }
    const view = row.kind === "group" ? new GroupView() : (spare.pop() ?? new RowView());
    this.byKey.set(key, view);
    if (!view.element.isConnected) this.#canvas.append(view.element);
    return view;
  }

  #forget(key: string, view: RowView | GroupView): void {
    this.byKey.delete(key);
    this.#tabStop.release(view.element);
  }
}
