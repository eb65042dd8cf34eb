/** Reorders rows by dragging their handle: a line shows the new position. */
import type { Row } from "../state/rows.ts";
import { keyOf } from "../state/rows.ts";

/** The distance from an edge of the list at which it scrolls, and by how much per frame, CSS pixels. */
const EDGE = 36;
const SPEED = 10;

export interface DragHost {
  /** The row at an offset from the top of the list, CSS pixels. */
  rowAt(offset: number): Row | undefined;
  rowHeight(): number;
  indexOf(key: string): number;
  drop(text: string, before: string | undefined): void;
}

/**
 * Makes the rows of a list draggable.
 * @param canvas holds the rows, and is as high as all of them
 */
export function makeDraggable(scroller: HTMLElement, canvas: HTMLElement, host: DragHost): void {
  new Drag(scroller, canvas, host).listen();
}

class Drag {
  readonly #scroller: HTMLElement;
  readonly #canvas: HTMLElement;
  readonly #host: DragHost;
  readonly #line = document.createElement("div");
  #dragged: { text: string; pointer: number; element: HTMLElement } | undefined;
  #pointerY = 0;

  constructor(scroller: HTMLElement, canvas: HTMLElement, host: DragHost) {
    this.#scroller = scroller;
    this.#canvas = canvas;
    this.#host = host;
    this.#line.className = "drop";
    this.#line.hidden = true;
    canvas.append(this.#line);
  }

  listen(): void {
    this.#canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    this.#canvas.addEventListener("pointermove", (event) => this.#move(event));
    this.#canvas.addEventListener("pointerup", () => this.#end(true));
    this.#canvas.addEventListener("pointercancel", () => this.#end(false));
    this.#scroller.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#end(false);
    });
  }

  #begin(event: PointerEvent): void {
    const handle = (event.target as HTMLElement).closest(".handle");
    const element = handle?.closest<HTMLElement>(".row");
    const text = element?.dataset.symbol;
    if (!element || text === undefined || event.button !== 0) return;
    event.preventDefault();
    this.#dragged = { text, pointer: event.pointerId, element };
    this.#canvas.setPointerCapture(event.pointerId);
    this.#pointerY = event.clientY;
    element.dataset.dragged = "true";
    requestAnimationFrame(() => this.#scroll());
  }

  #move(event: PointerEvent): void {
    if (event.pointerId !== this.#dragged?.pointer) return;
    this.#pointerY = event.clientY;
    this.#showLine();
  }

  /** Scrolls while the pointer is near an edge. */
  #scroll(): void {
    if (!this.#dragged) return;
    const { top, bottom } = this.#scroller.getBoundingClientRect();
    if (this.#pointerY < top + EDGE * 2) this.#scroller.scrollTop -= SPEED;
    else if (this.#pointerY > bottom - EDGE) this.#scroller.scrollTop += SPEED;
    this.#showLine();
    requestAnimationFrame(() => this.#scroll());
  }

  #showLine(): void {
    const target = this.#target();
    this.#line.hidden = target === undefined;
    if (target) this.#line.style.transform = `translateY(${target.line}px)`;
  }

  /** The drop position: the entry after it, and the offset of the line. */
  #target(): { before: string | undefined; line: number } | undefined {
    const height = this.#host.rowHeight();
    const offset = this.#pointerY - this.#canvas.getBoundingClientRect().top;
    const row = this.#host.rowAt(Math.max(0, offset));
    if (!row) return { before: undefined, line: this.#canvas.offsetHeight };
    // A pattern's rows stay together: a row is dropped before its head, or after its last row.
    const owner = row.kind === "symbol" && row.pattern !== undefined ? row.pattern : keyOf(row);
    const isUpper =
      row.kind === "symbol" && row.pattern === undefined ? offset % height < height / 2 : row.kind === "group";
    const from = this.#host.indexOf(owner);
    if (isUpper) return { before: owner, line: from * height };
    let end = from + 1;
    for (let next = this.#host.rowAt(end * height); next; next = this.#host.rowAt(++end * height))
      if (!(next.kind === "symbol" && next.pattern === owner)) return { before: keyOf(next), line: end * height };
    return { before: undefined, line: end * height };
  }

  #end(isDropped: boolean): void {
    const dragged = this.#dragged;
    if (!dragged) return;
    const target = this.#target();
    this.#dragged = undefined;
    this.#line.hidden = true;
    delete dragged.element.dataset.dragged;
    if (isDropped && target) this.#host.drop(dragged.text, target.before);
  }
}
