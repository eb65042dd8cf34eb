/**
 * The grid: thousands of rows, of which the few on the screen have elements. Whatever comes in, it paints once per
 * animation frame, and of the visible rows only those that have changed.
 */
import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  type Range,
  Virtualizer,
} from "@tanstack/virtual-core";
import type { Instrument } from "../state/instrument.ts";
import type { Sort, SortKey } from "../state/keep.ts";
import { keyOf, type Row } from "../state/rows.ts";
import { COLUMNS, type ColumnId, columnsFor, PHONE_WIDTH, place } from "./columns.ts";
import { moved, type Place } from "./cursor.ts";
import { makeDraggable } from "./drag.ts";
import { Flashes } from "./flash.ts";
import { GroupView } from "./group_view.ts";
import { HeadView } from "./head_view.ts";
import { followMouse } from "./row_tools.ts";
import { RowView, type Scene } from "./row_view.ts";

/** Rows beyond the edges that have elements, so that scrolling finds them there. */
const OVERSCAN = 4;
/** How often it is told which rows are on the screen at most, ms. */
const SHOWN_PAUSE = 150;
/** How long nothing must have moved before the elements are put in order, ms. */
const REST = 400;
/** How often all visible rows are looked at, for ages and trends, ms. */
const LOOK = 1_000;
/** How long the rows of a pattern may take to come, ms. */
const ARRIVAL = 3_000;
/** How often flashes are looked at, ms. */
const FADE = 120;
/** Heights of a row: on a phone in two lines, for a finger, for a mouse. CSS pixels. */
const PHONE_ROW = 60;
const FINGER_ROW = 44;
const MOUSE_ROW = 30;

/** What the grid shows and asks for. */
export interface GridHost {
  instrumentOf(symbol: string): Instrument | undefined;
  /** Why the gateway does not give a symbol or pattern. */
  refusalOf(text: string): string | undefined;
  /** These symbols are on the screen. */
  shown(symbols: readonly string[]): void;
  open(symbol: string): void;
  remove(text: string): void;
  /** One place up or down. */
  step(text: string, direction: -1 | 1): void;
  /** Before another entry, or to the end. */
  move(text: string, before: string | undefined): void;
  fold(pattern: string, isFolded: boolean): void;
  sortBy(key: SortKey): void;
}

type View = RowView | GroupView;

export class Grid {
  readonly element = document.createElement("div");
  /** Frames painted. */
  painted = 0;
  readonly #host: GridHost;
  readonly #head: HeadView;
  readonly #canvas = document.createElement("div");
  readonly #virtual: Virtualizer<HTMLElement, HTMLElement>;
  readonly #views = new Map<string, View>();
  readonly #dirty = new Set<string>();
  readonly #flashes = new Flashes();
  #rows: readonly Row[] = [];
  #indexes = new Map<string, number>();
  #columns: readonly ColumnId[] = COLUMNS.map((column) => column.id);
  #shownColumns: ReadonlySet<ColumnId> = new Set(this.#columns);
  #rowHeight = MOUSE_ROW;
  /** Where the keyboard is; the head is the empty key. */
  #activeKey = "";
  #activeColumn = 0;
  /** The row that was asked for at the top, until its pattern's rows have come; ms by the page's clock. */
  #wanted: { readonly key: string; readonly until: number } | undefined;
  /** The cell that the Tab key comes to. */
  #roving: HTMLElement | undefined;
  /** Whether the cell that had the focus has left the page. */
  #lostFocus = false;
  #opened: string | undefined;
  #isFrameDue = false;
  #isLayoutDue = true;
  #shownTimer: ReturnType<typeof setTimeout> | undefined;
  #orderTimer: ReturnType<typeof setTimeout> | undefined;
  #fadeTimer: ReturnType<typeof setTimeout> | undefined;
  #movedAt = 0;
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
      rowAt: (offset) => this.#rows[Math.floor(offset / this.#rowHeight)],
      rowHeight: () => this.#rowHeight,
      indexOf: (key) => this.#indexes.get(key) ?? -1,
      drop: (text, before) => host.move(text, before),
    });
    this.#virtual = new Virtualizer<HTMLElement, HTMLElement>({
      count: 0,
      getScrollElement: (): HTMLElement => this.element,
      estimateSize: () => this.#rowHeight,
      overscan: OVERSCAN,
      scrollToFn: elementScroll,
      observeElementRect,
      observeElementOffset,
      rangeExtractor: (range) => this.#range(range),
      onChange: () => this.#layoutLater(),
    });
    followMouse(this.#canvas);
    // Who moves the list wants it elsewhere.
    for (const event of ["wheel", "pointerdown", "keydown"])
      this.element.addEventListener(event, () => this.#leaveWanted(), { passive: true });
    this.element.addEventListener("click", (event) => this.#click(event));
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.element.addEventListener("focusin", (event) => this.#focused(event.target as HTMLElement));
  }

  /** Begins, once it is in the page. */
  start(): void {
    const resized = new ResizeObserver(() => this.#measure());
    resized.observe(this.element);
    this.#measure();
    this.#ends.push(this.#virtual._didMount());
    this.#virtual._willUpdate();
    const timer = setInterval(() => this.touchAll(), LOOK);
    this.#ends.push(
      () => clearInterval(timer),
      () => resized.disconnect(),
      () => clearTimeout(this.#shownTimer),
      () => clearTimeout(this.#orderTimer),
      () => clearTimeout(this.#fadeTimer),
    );
    this.#layoutLater();
  }

  stop(): void {
    for (const end of this.#ends.splice(0)) end();
  }

  /** Shows these rows. Where the keyboard and the eye are stays. */
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
    // A list that was too short to have it at the top may be long enough now.
    if (this.#wanted && performance.now() < this.#wanted.until) {
      this.#canvas.style.height = `${rows.length * this.#rowHeight}px`;
      this.#scrollTo(this.#wanted.key, true);
    }
    this.#layoutLater();
  }

  setSort(sort: Sort | undefined): void {
    this.#head.setSort(sort);
    this.element.dataset.sorted = String(sort !== undefined);
  }

  /** Says that all prices may be old, whatever each row knows. */
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
    if (!this.#views.has(symbol)) return;
    this.#dirty.add(symbol);
    this.#frameLater();
  }

  /** Everything may have changed. */
  touchAll(): void {
    for (const key of this.#views.keys()) this.#dirty.add(key);
    this.#frameLater();
  }

  /** Brings the keyboard to a row, and the row into view: at the edge that it lies beyond, or at the top. */
  focus(key: string = this.#activeKey, isTop = false): void {
    this.#activate(key, this.#activeColumn, isTop);
    this.#wanted = isTop ? { key, until: performance.now() + ARRIVAL } : undefined;
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
      isShown: (id) => this.#shownColumns.has(id),
      trendWidth: this.#rowHeight === PHONE_ROW ? 84 : 96,
      trendHeight: this.#rowHeight === PHONE_ROW ? 34 : this.#rowHeight - 8,
    };
    for (const key of this.#dirty) {
      const view = this.#views.get(key);
      if (view instanceof RowView) view.paint(this.#host.instrumentOf(key), this.#host.refusalOf(key), scene);
    }
    this.#dirty.clear();
    this.painted++;
  }

  /** Gives the rows that are on the screen their elements and places. */
  #layout(): void {
    this.#isLayoutDue = false;
    const items = this.#virtual.getVirtualItems();
    const wanted = new Set(items.map((item) => keyOf(this.#rows[item.index])));
    const spare: RowView[] = [];
    for (const [key, view] of this.#views) {
      if (wanted.has(key)) continue;
      this.#forget(key, view);
      if (view instanceof RowView) spare.push(view);
      else view.element.remove();
    }
    for (const { index, start } of items) {
      const row = this.#rows[index];
      const key = keyOf(row);
      const view = this.#viewOf(row, key, spare);
      if (view instanceof RowView && row.kind === "symbol") view.show(row, index, this.#flashes);
      else if (view instanceof GroupView && row.kind === "group")
        view.show(row, index, this.#columns.length, this.#host.refusalOf(row.pattern));
      view.moveTo(start);
      const isOpened = String(key === this.#opened);
      if (view.element.dataset.opened !== isOpened) view.element.dataset.opened = isOpened;
      this.#dirty.add(key);
    }
    for (const view of spare) view.element.remove();
    this.#canvas.style.height = `${this.#virtual.getTotalSize()}px`;
    this.#rove();
    this.#tellShownLater();
    this.#movedAt = performance.now();
    this.#orderLater(REST);
  }

  /** The element of a row: its own, one that another row does not need any more, or a new one. */
  #viewOf(row: Row, key: string, spare: RowView[]): View {
    const found = this.#views.get(key);
    if (found && found instanceof RowView === (row.kind === "symbol")) return found;
    if (found) {
      this.#forget(key, found);
      found.element.remove();
    }
    const view = row.kind === "group" ? new GroupView() : (spare.pop() ?? new RowView());
    this.#views.set(key, view);
    if (!view.element.isConnected) this.#canvas.append(view.element);
    return view;
  }

  #forget(key: string, view: View): void {
    this.#views.delete(key);
    this.#dirty.delete(key);
    if (view.element.contains(document.activeElement)) this.#lostFocus = true;
  }

  /** The rows that have elements: those near the screen, and the one that the keyboard is on. */
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

  #tellShownLater(): void {
    this.#shownTimer ??= setTimeout(() => {
      this.#shownTimer = undefined;
      const shown = [...this.#views].flatMap(([key, view]) => (view instanceof RowView ? [key] : []));
      this.#host.shown(shown);
    }, SHOWN_PAUSE);
  }

  #orderLater(wait: number): void {
    this.#orderTimer ??= setTimeout(() => {
      this.#orderTimer = undefined;
      const rest = REST - (performance.now() - this.#movedAt);
      if (rest > 0) this.#orderLater(rest);
      else this.#order([...this.#views.values()].toSorted((a, b) => this.#indexOf(a) - this.#indexOf(b)));
    }, wait);
  }

  #indexOf({ row }: View): number {
    return (row && this.#indexes.get(keyOf(row))) ?? -1;
  }

  /** Who has the page read out hears rows in the order of their elements. The one with the focus keeps its place. */
  #order(views: readonly View[]): void {
    const elements = views.map((view) => view.element);
    const present = [...this.#canvas.querySelectorAll<HTMLElement>(":scope > .row")];
    if (elements.every((element, index) => element === present[index])) return;
    const pivot = elements.find((element) => element.contains(document.activeElement));
    let isBefore = pivot !== undefined;
    for (const view of views) {
      if (view.element === pivot) isBefore = false;
      else this.#canvas.insertBefore(view.element, isBefore ? (pivot as HTMLElement) : null);
    }
  }

  #measure(): void {
    const { clientWidth } = this.element;
    const isPhone = clientWidth < PHONE_WIDTH;
    const isFinger = matchMedia("(pointer: coarse)").matches;
    const columns = columnsFor(clientWidth);
    this.element.dataset.form = isPhone ? "phone" : "table";
    this.#columns = columns.map((column) => column.id);
    this.#shownColumns = new Set(this.#columns);
    for (const { id, left, width } of place(columns, clientWidth)) {
      this.element.style.setProperty(`--${id}-left`, `${left}px`);
      this.element.style.setProperty(`--${id}-width`, `${width}px`);
    }
    this.element.dataset.hide = COLUMNS.filter(({ id }) => !this.#shownColumns.has(id))
      .map(({ id }) => id)
      .join(" ");
    const height = isPhone ? PHONE_ROW : isFinger ? FINGER_ROW : MOUSE_ROW;
    this.element.style.setProperty("--row", `${height}px`);
    const before = this.#rowHeight;
    this.#rowHeight = height;
    this.#virtual.measure();
    if (height !== before) this.#keepPlace(before);
    this.#layoutLater();
    this.touchAll();
  }

  /** Where rows have become higher or lower, the same ones are on the screen, and the one that is open. */
  #keepPlace(heightBefore: number): void {
    const { scrollTop } = this.element;
    this.#canvas.style.height = `${this.#virtual.getTotalSize()}px`;
    this.element.scrollTop = (scrollTop / heightBefore) * this.#rowHeight;
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
      const place: Place = { row: this.#indexes.get(this.#activeKey) ?? -1, column: this.#activeColumn };
      const next = moved(place, key, ctrlKey || metaKey, {
        rows: this.#rows.length,
        page: Math.max(1, Math.floor(this.element.clientHeight / this.#rowHeight) - 2),
        columns: (index) => (this.#rows[index]?.kind === "group" ? 1 : this.#columns.length),
      });
      if (!next) return;
      const target = this.#rows[next.row];
      this.#activate(target ? keyOf(target) : "", next.column);
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** Brings the keyboard to a cell, and the cell onto the screen. */
  #activate(key: string, column: number, isTop = false): void {
    this.#activeKey = key;
    this.#activeColumn = column;
    this.#scrollTo(key, isTop);
    // Its element must be there before it can have the focus: another function makes the range be asked for anew.
    this.#virtual.setOptions({ ...this.#virtual.options, rangeExtractor: (range) => this.#range(range) });
    this.#layout();
    this.#frameLater();
    this.#activeCell()?.focus({ preventScroll: true });
  }

  #leaveWanted(): void {
    this.#wanted = undefined;
  }

  #scrollTo(key: string, isTop: boolean): void {
    const index = this.#indexes.get(key);
    if (index === undefined) return;
    const top = index * this.#rowHeight;
    // The head stands over the list and is as high as the list begins further down.
    const height = this.element.clientHeight - this.#head.element.offsetHeight;
    const isBelow = top + this.#rowHeight > this.element.scrollTop + height;
    if (isTop && (isBelow || this.#wanted)) this.element.scrollTop = top;
    else if (top < this.element.scrollTop) this.element.scrollTop = top;
    else if (isBelow) this.element.scrollTop = top + this.#rowHeight - height;
  }

  #activeCell(): HTMLElement | undefined {
    if (this.#activeKey === "") return this.#head.cellOf(this.#columns[this.#activeColumn]);
    const view = this.#views.get(this.#activeKey);
    return view instanceof GroupView ? view.cell : view?.cells.get(this.#columns[this.#activeColumn]);
  }

  /** One cell of the whole grid is on the way of the Tab key: the one where the keyboard was last. */
  #rove(): void {
    const cell = this.#activeCell();
    const hadFocus = this.#lostFocus || (this.#roving !== undefined && document.activeElement === this.#roving);
    this.#lostFocus = false;
    if (cell !== this.#roving) {
      if (this.#roving) this.#roving.tabIndex = -1;
      if (cell) cell.tabIndex = 0;
      this.#roving = cell;
    }
    // The row under the keyboard is gone, or has another element: the keyboard goes on there.
    if (hadFocus && document.activeElement !== cell) cell?.focus({ preventScroll: true });
  }

  #focused(target: HTMLElement): void {
    const cell = target.closest<HTMLElement>("[role=gridcell], [role=columnheader]");
    if (!cell) return;
    const index = this.#columns.indexOf(cell.dataset.column as ColumnId);
    if (index >= 0) this.#activeColumn = index;
    this.#activeKey = cell.closest<HTMLElement>(".row")?.dataset.symbol ?? "";
    if (this.#roving) this.#roving.tabIndex = -1;
    cell.tabIndex = 0;
    this.#roving = cell;
  }
}
