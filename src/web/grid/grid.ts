/**
 * The grid: thousands of rows, of which only those near the screen have elements. It paints at most once per animation
 * frame, and of the visible rows only those that have changed.
 */
import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  type Range,
  Virtualizer,
} from "@tanstack/virtual-core";
import type { Sort } from "../state/keep.ts";
import { keyOf, type Row } from "../state/rows.ts";
import { COLUMNS, type ColumnId } from "./columns.ts";
import { type CellPosition, moved } from "./cursor.ts";
import { Dimensions } from "./dimensions.ts";
import { makeDraggable } from "./drag.ts";
import { ElementOrder } from "./element_order.ts";
import { Flashes } from "./flash.ts";
import type { GridHost } from "./grid_host.ts";
import { GroupView } from "./group_view.ts";
import { HeadView } from "./head_view.ts";
import { RowElements } from "./row_elements.ts";
import { followMouse } from "./row_tools.ts";
import { RowView, type Scene } from "./row_view.ts";
import { TabStop } from "./tab_stop.ts";

/** Rows beyond the edges of the screen that have elements, so that scrolling finds them there. */
const OVERSCAN = 4;
/** The shortest time between two reports of the rows on the screen, ms: each one may be a command to the gateway. */
const SHOWN_PAUSE = 150;
/** How often all visible rows are painted for their ages and trends, ms. */
const REPAINT_PAUSE = 1_000;
/** How long the rows of a pattern may take to arrive, ms. */
const ARRIVAL = 3_000;
/** How often flashes are taken to their next step, ms. */
const FADE = 120;

export class Grid {
  readonly element = document.createElement("div");
  /** Frames painted. */
  painted = 0;
  readonly #host: GridHost;
  readonly #head: HeadView;
  readonly #canvas = document.createElement("div");
  readonly #virtual: Virtualizer<HTMLElement, HTMLElement>;
  readonly #tabStop = new TabStop();
  readonly #elements = new RowElements(this.#canvas, this.#tabStop);
  readonly #order = new ElementOrder(this.#canvas, () => this.#elementsInOrder());
  readonly #size = new Dimensions();
  readonly #dirty = new Set<string>();
  readonly #flashes = new Flashes();
  #rows: readonly Row[] = [];
  #indexes = new Map<string, number>();
  /** The row that the keyboard acts on; the empty key is the head. */
  #activeKey = "";
  #activeColumn = 0;
  /** The row that is kept at the top until its pattern's rows have arrived; until: ms of performance.now(). */
  #pinned: { readonly key: string; readonly until: number } | undefined;
  #opened: string | undefined;
  #isFrameDue = false;
  #isLayoutDue = true;
  #shownTimer: ReturnType<typeof setTimeout> | undefined;
  #fadeTimer: ReturnType<typeof setTimeout> | undefined;
  /** End what {@link start} began. */
  readonly #ends: (() => void)[] = [];

  constructor(host: GridHost) {
    this.#host = host;
    this.element.className = "grid";
    this.element.setAttribute("role", "grid");
    this.element.setAttribute("aria-label", "Watchlist");
    this.element.setAttribute("aria-colcount", String(COLUMNS.length));
    this.#head = new HeadView();
    this.#canvas.className = "rows";
    this.#canvas.setAttribute("role", "rowgroup");
    this.element.append(this.#head.element, this.#canvas);
    makeDraggable(this.element, this.#canvas, {
      rowAt: (offset) => this.#rows[Math.floor(offset / this.#size.rowHeight)],
      rowHeight: () => this.#size.rowHeight,
      indexOf: (key) => this.#indexes.get(key) ?? -1,
      drop: (text, before) => host.move(text, before),
    });
    this.#virtual = new Virtualizer<HTMLElement, HTMLElement>({
      count: 0,
      getScrollElement: (): HTMLElement => this.element,
      estimateSize: () => this.#size.rowHeight,
      overscan: OVERSCAN,
      scrollToFn: elementScroll,
      observeElementRect,
      observeElementOffset,
      rangeExtractor: (range) => this.#range(range),
      onChange: () => this.#layoutLater(),
    });
    followMouse(this.#canvas);
    // A user who scrolls or navigates no longer wants the pinned row at the top.
    for (const event of ["wheel", "pointerdown", "keydown"])
      this.element.addEventListener(event, () => this.#unpin(), { passive: true });
    this.element.addEventListener("click", (event) => this.#click(event));
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.element.addEventListener("focusin", (event) => this.#focused(event.target as HTMLElement));
  }

  /** Begins when its element is in the page. */
  start(): void {
    const resized = new ResizeObserver(() => this.#measure());
    resized.observe(this.element);
    this.#measure();
    this.#ends.push(this.#virtual._didMount());
    this.#virtual._willUpdate();
    const timer = setInterval(() => this.touchAll(), REPAINT_PAUSE);
    this.#ends.push(
      () => clearInterval(timer),
      () => resized.disconnect(),
      () => clearTimeout(this.#shownTimer),
      () => this.#order.stop(),
      () => clearTimeout(this.#fadeTimer),
    );
    this.#layoutLater();
  }

  stop(): void {
    for (const end of this.#ends.splice(0)) end();
  }

  /** Shows these rows. The active row and the scroll position stay. */
  setRows(rows: readonly Row[]): void {
    const activeIndex = this.#indexes.get(this.#activeKey) ?? 0;
    this.#rows = rows;
    this.#indexes = new Map(rows.map((row, index) => [keyOf(row), index]));
    if (this.#activeKey === "" ? rows.length > 0 && !this.#head.hasFocus : !this.#indexes.has(this.#activeKey)) {
      const next = rows[Math.min(activeIndex, rows.length - 1)];
      this.#activeKey = next ? keyOf(next) : "";
    }
    this.element.setAttribute("aria-rowcount", String(rows.length + 1));
    this.#virtual.setOptions({ ...this.#virtual.options, count: rows.length });
    this.#virtual._willUpdate();
    // A list that was too short for it to be at the top may be long enough now.
    if (this.#pinned && performance.now() < this.#pinned.until) {
      this.#canvas.style.height = `${rows.length * this.#size.rowHeight}px`;
      this.#scrollTo(this.#pinned.key, true);
    }
    this.#layoutLater();
  }

  setSort(sort: Sort | undefined): void {
    this.#head.setSort(sort);
    this.element.dataset.sorted = String(sort !== undefined);
  }

  /** Shows that all prices may be old, whatever the state of each row. */
  setOld(isOld: boolean): void {
    this.element.dataset.old = String(isOld);
    this.touchAll();
  }

  /** Marks the row whose chart is open. */
  setOpened(symbol: string | undefined): void {
    this.#opened = symbol;
    this.#layoutLater();
  }

  /** A symbol has changed. */
  touch(symbol: string): void {
    if (!this.#elements.byKey.has(symbol)) return;
    this.#dirty.add(symbol);
    this.#frameLater();
  }

  /** All rows may have changed. */
  touchAll(): void {
    for (const key of this.#elements.byKey.keys()) this.#dirty.add(key);
    this.#frameLater();
  }

  /** Moves the focus to a row, and scrolls it into sight: to the nearer edge, or to the top. */
  focus(key: string = this.#activeKey, isTop = false): void {
    this.#activate(key, this.#activeColumn, isTop);
    this.#pinned = isTop ? { key, until: performance.now() + ARRIVAL } : undefined;
  }

  #frameLater(): void {
    if (this.#isFrameDue) return;
    this.#isFrameDue = true;
    requestAnimationFrame(() => this.#frame());
  }

  #layoutLater(): void {
    this.#isLayoutDue = true;
    this.#frameLater();
  }

  #frame(): void {
    this.#isFrameDue = false;
    if (this.#isLayoutDue) this.#layout();
    const now = Date.now();
    this.#flashes.step(now);
    if (this.#dirty.size > 0) this.#paint(now);
    if (this.#flashes.areLit) this.#fadeTimer ??= setTimeout(() => this.#fade(), FADE);
  }

  #fade(): void {
    this.#fadeTimer = undefined;
    this.#frameLater();
  }

  #paint(now: number): void {
    const scene: Scene = {
      flashes: this.#flashes,
      now,
      isShown: (id) => this.#size.shownColumns.has(id),
      trendWidth: this.#size.trendWidth,
      trendHeight: this.#size.trendHeight,
    };
    for (const key of this.#dirty) {
      const view = this.#elements.byKey.get(key);
      if (view instanceof RowView) view.paint(this.#host.instrumentOf(key), this.#host.refusalOf(key), scene);
    }
    this.#dirty.clear();
    this.painted++;
  }

  /** Gives the rows near the screen their elements and positions. */
  #layout(): void {
    this.#isLayoutDue = false;
    const items = this.#virtual.getVirtualItems();
    const views = this.#elements.assign(items.map(({ index }) => this.#rows[index]));
    this.#dirty.clear();
    for (const [order, { index, start }] of items.entries()) {
      const row = this.#rows[index];
      const view = views[order];
      if (view instanceof RowView && row.kind === "symbol") view.show(row, index, this.#flashes);
      else if (view instanceof GroupView && row.kind === "group")
        view.show(row, index, this.#size.columns.length, this.#host.refusalOf(row.pattern)?.message);
      view.moveTo(start);
      const key = keyOf(row);
      const isOpened = String(key === this.#opened);
      if (view.element.dataset.opened !== isOpened) view.element.dataset.opened = isOpened;
      this.#dirty.add(key);
    }
    this.#canvas.style.height = `${this.#virtual.getTotalSize()}px`;
    this.#tabStop.moveTo(this.#activeCell());
    this.#reportShownLater();
    this.#order.schedule();
  }

  /** The rows that have elements: those near the screen, and the active one. */
  #range({ startIndex, endIndex, overscan, count }: Range): number[] {
    const first = Math.max(startIndex - overscan, 0);
    const last = Math.min(endIndex + overscan, count - 1);
    const range = Array.from({ length: Math.max(last - first + 1, 0) }, (_, index) => first + index);
    const active = this.#indexes.get(this.#activeKey);
    if (active !== undefined && active < count) {
      if (active < first) range.unshift(active);
      else if (active > last) range.push(active);
    }
    return range;
  }

  #reportShownLater(): void {
    this.#shownTimer ??= setTimeout(() => {
      this.#shownTimer = undefined;
      this.#host.shown(this.#elements.symbols);
    }, SHOWN_PAUSE);
  }

  #elementsInOrder(): HTMLElement[] {
    const indexOf = ({ row }: RowView | GroupView) => (row && this.#indexes.get(keyOf(row))) ?? -1;
    const views = [...this.#elements.byKey.values()].toSorted((a, b) => indexOf(a) - indexOf(b));
    return views.map((view) => view.element);
  }

  #measure(): void {
    const before = this.#size.rowHeight;
    this.#size.measure(this.element);
    this.#virtual.measure();
    if (this.#size.rowHeight !== before) this.#keepScrollPosition(before);
    this.#layoutLater();
    this.touchAll();
  }

  /** Keeps the same rows on the screen when rows have become higher or lower, and the open one in sight. */
  #keepScrollPosition(heightBefore: number): void {
    const { scrollTop } = this.element;
    this.#canvas.style.height = `${this.#virtual.getTotalSize()}px`;
    this.element.scrollTop = (scrollTop / heightBefore) * this.#size.rowHeight;
    if (this.#opened !== undefined) this.#scrollTo(this.#opened, false);
  }

  #click({ target }: Event): void {
    const element = target as HTMLElement;
    const heading = element.closest<HTMLElement>("[role=columnheader]");
    if (heading) return this.#sortBy(heading);
    const key = element.closest<HTMLElement>(".row")?.dataset.symbol;
    const row = key === undefined ? undefined : this.#rows[this.#indexes.get(key) ?? -1];
    if (key === undefined || !row || element.closest(".handle")) return;
    if (element.closest(".remove")) this.#host.remove(key);
    else this.#enter(row);
  }

  #enter(row: Row): void {
    if (row.kind === "symbol") this.#host.open(row.symbol);
    else this.#host.fold(row.pattern, !row.isFolded);
  }

  #sortBy(heading: HTMLElement): void {
    const { sort } = COLUMNS.find(({ id }) => id === heading.dataset.column) ?? {};
    if (sort) this.#host.sortBy(sort);
  }

  #key(event: KeyboardEvent): void {
    const { key, ctrlKey, metaKey, altKey } = event;
    const row = this.#rows[this.#indexes.get(this.#activeKey) ?? -1];
    if (altKey && (key === "ArrowUp" || key === "ArrowDown")) {
      if (row) this.#host.step(this.#activeKey, key === "ArrowUp" ? -1 : 1);
    } else if (altKey) return;
    else if (key === "Enter" || key === " ") {
      if (row) this.#enter(row);
      else this.#sortBy(event.target as HTMLElement);
    } else if (key === "Delete" || key === "Backspace") {
      if (row) this.#host.remove(this.#activeKey);
    } else {
      const position: CellPosition = { row: this.#indexes.get(this.#activeKey) ?? -1, column: this.#activeColumn };
      const next = moved(position, key, ctrlKey || metaKey, {
        rows: this.#rows.length,
        screenRows: Math.max(1, Math.floor(this.element.clientHeight / this.#size.rowHeight) - 2),
        columns: (index) => (this.#rows[index]?.kind === "group" ? 1 : this.#size.columns.length),
      });
      if (!next) return;
      const target = this.#rows[next.row];
      this.#activate(target ? keyOf(target) : "", next.column);
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** Moves the focus to a cell, and scrolls the cell into sight. */
  #activate(key: string, column: number, isTop = false): void {
    this.#activeKey = key;
    this.#activeColumn = column;
    this.#scrollTo(key, isTop);
    // The element must exist before it can have the focus. Only a new function makes the virtualizer compute the range
    // again.
    this.#virtual.setOptions({ ...this.#virtual.options, rangeExtractor: (range) => this.#range(range) });
    this.#layout();
    this.#frameLater();
    this.#activeCell()?.focus({ preventScroll: true });
  }

  #unpin(): void {
    this.#pinned = undefined;
  }

  #scrollTo(key: string, isTop: boolean): void {
    const index = this.#indexes.get(key);
    if (index === undefined) return;
    const top = index * this.#size.rowHeight;
    // The head covers the top of the list: the list begins below it.
    const height = this.element.clientHeight - this.#head.element.offsetHeight;
    const isBelow = top + this.#size.rowHeight > this.element.scrollTop + height;
    if (isTop && (isBelow || this.#pinned)) this.element.scrollTop = top;
    else if (top < this.element.scrollTop) this.element.scrollTop = top;
    else if (isBelow) this.element.scrollTop = top + this.#size.rowHeight - height;
  }

  #activeCell(): HTMLElement | undefined {
    if (this.#activeKey === "") return this.#head.cellOf(this.#size.columns[this.#activeColumn]);
    const view = this.#elements.byKey.get(this.#activeKey);
    return view instanceof GroupView ? view.cell : view?.cells.get(this.#size.columns[this.#activeColumn]);
  }

  #focused(target: HTMLElement): void {
    const cell = target.closest<HTMLElement>("[role=gridcell], [role=columnheader]");
    if (!cell) return;
    const index = this.#size.columns.indexOf(cell.dataset.column as ColumnId);
    if (index >= 0) this.#activeColumn = index;
    this.#activeKey = cell.closest<HTMLElement>(".row")?.dataset.symbol ?? "";
    this.#tabStop.set(cell);
  }
}
