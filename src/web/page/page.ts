/** The page: what is watched and how, what the user does about it, and what is kept of that. The parts look at its cells. */

import { Grid } from "../grid/grid.ts";
import { Cell } from "../state/cell.ts";
import type { Instrument } from "../state/instrument.ts";
import {
  LIST_KEY,
  linkOf,
  readLink,
  readList,
  readView,
  type SortKey,
  type Store,
  type View,
  writeList,
  writeView,
} from "../state/keep.ts";
import { Market } from "../state/market.ts";
import { countText } from "../state/number.ts";
import { readPalette } from "../state/palette.ts";
import { expand, keyOf, type Row, sortRows } from "../state/rows.ts";
import { loadSymbols } from "../state/symbols.ts";
import { add, fold, isWatchable, move, ownerOf, remove, step, type Watchlist } from "../state/watchlist.ts";

/** Symbols that a first visit begins with. */
const FIRST_SYMBOLS = 50;
/** How often the rows are made anew at most, while symbols come and values that they are sorted by change; ms. */
const ROWS_PAUSE = 250;
const SORT_PAUSE = 1_000;
/** How long a note stands, ms. */
const NOTE_TIME = 6_000;

/** Something that the page says, and perhaps what can be done about it. */
export interface Note {
  readonly text: string;
  readonly action?: { readonly title: string; run(): void };
}

export class Page {
  readonly list: Cell<Watchlist>;
  readonly view: Cell<View>;
  readonly filter = new Cell("");
  /** The rows of the grid, groups' heads included. */
  readonly rows = new Cell<readonly Row[]>([]);
  /** The symbol whose chart is open. */
  readonly opened = new Cell<string | undefined>(undefined);
  readonly note = new Cell<Note | undefined>(undefined);
  /** What has been done, for those who hear the page. */
  readonly said = new Cell("");
  /** Whether the list is one of a link, which is not kept until the user says so. */
  readonly isShared: Cell<boolean>;
  /** Whether this is a first visit, with a list that is still to be filled. */
  readonly isFirstVisit: Cell<boolean>;
  /** The theme's colours. */
  readonly palette = new Cell(readPalette());
  readonly market: Market;
  readonly grid: Grid;
  readonly #store: Store | undefined;
  /** Who draws the open chart. */
  #chartTouched: () => void = () => {};
  #saidNotKept = false;
  #rowsTimer: ReturnType<typeof setTimeout> | undefined;
  #noteTimer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param url of the gateway: `wss://HOST/v1/stream`
   * @param hash of the page's address
   */
  constructor(url: string, store: Store | undefined, hash: string) {
    this.#store = store;
    const shared = readLink(hash);
    const kept = readList(store);
    this.isShared = new Cell(shared !== undefined);
    this.isFirstVisit = new Cell(!shared && !kept);
    this.list = new Cell(shared ?? kept ?? []);
    this.view = new Cell(readView(store));
    this.grid = new Grid({
      instrumentOf: (symbol) => this.market.instruments.get(symbol),
      refusalOf: (text) => this.market.refusals.get(text),
      shown: (symbols) => this.market.showOnly(symbols),
      open: (symbol) => this.open(symbol),
      remove: (text) => this.remove(text),
      step: (text, direction) => this.step(text, direction),
      move: (text, before) => this.move(text, before),
      fold: (pattern, isFolded) => this.#change(fold(this.list.value, pattern, isFolded)),
      sortBy: (key) => this.sortBy(key),
    });
    this.market = new Market(url, this.view.value.interval, {
      changed: (instrument) => this.#touched(instrument),
      membersChanged: () => this.#rowsLater(ROWS_PAUSE),
      refused: (message, text) => this.#refused(message, text),
    });
    this.grid.setSort(this.view.value.sort);
    this.market.watch(this.list.value);
    this.#makeRows();
    setInterval(() => {
      const key = this.view.value.sort?.key;
      if (key && key !== "symbol") this.#rowsLater(0);
    }, SORT_PAUSE);
    this.filter.watch(() => this.#makeRows());
    this.market.link.watch(({ phase }) => {
      this.grid.setOld(phase === "silent" || phase === "lost" || phase === "refused");
      document.title = phase === "live" || phase === "connecting" ? "Tickgate" : "Disconnected – Tickgate";
      if (phase === "live" && this.isFirstVisit.value) void this.begin();
    });
  }

  /** Fills the list of a first visit with the first of the gateway's symbols; later, when there are none yet. */
  async begin(): Promise<void> {
    const symbols = await loadSymbols().catch(() => []);
    if (symbols.length === 0) {
      if (this.isFirstVisit.value) setTimeout(() => void this.begin(), 2_000);
      return;
    }
    if (this.list.value.length > 0) return;
    this.#change(add([], symbols.slice(0, FIRST_SYMBOLS)));
    this.isFirstVisit.value = false;
    const which = symbols.length > FIRST_SYMBOLS ? `the first ${FIRST_SYMBOLS} of ${countText(symbols.length)}` : "all";
    this.say({ text: `To begin with, here are ${which} symbols of this gateway. Search to add others.` });
  }

  /** Puts symbols and patterns on the list, and shows the first of them. */
  add(texts: readonly string[]): void {
    const before = this.list.value;
    const now = add(before, texts);
    const [first] = texts;
    this.filter.value = "";
    this.#change(now);
    const count = now.length - before.length;
    if (count > 1) this.say({ text: `${countText(count)} added`, action: this.#undo(before) });
    else if (now === before && texts.length === 1 && isWatchable(first))
      this.#saidOnly(`${first} is on the list already`);
    else this.#saidOnly(`${first} added`);
    const owner = ownerOf(now, first);
    if (owner?.isFolded) this.#change(fold(now, owner.text, false));
    this.#makeRows();
    // What follows is to be seen as well: the rows of a pattern, or the others that were added.
    this.grid.focus(first, true);
  }

  remove(text: string): void {
    const before = this.list.value;
    const now = remove(before, text);
    if (now === before) return;
    const index = this.rows.value.findIndex((row) => keyOf(row) === text);
    if (this.opened.value === text) this.close();
    this.#change(now);
    this.say({ text: `${text} removed`, action: this.#undo(before) });
    const next = this.rows.value[Math.min(index, this.rows.value.length - 1)];
    if (next && document.activeElement?.closest(".grid")) this.grid.focus(keyOf(next));
  }

  step(text: string, direction: -1 | 1): void {
    this.#reorder(text, step(this.list.value, text, direction));
  }

  move(text: string, before: string | undefined): void {
    this.#reorder(text, move(this.list.value, text, before));
  }

  /** Largest first, then smallest first, then the list's own order; names the other way round. */
  sortBy(key: SortKey): void {
    const { sort } = this.view.value;
    const first = key !== "symbol";
    const next =
      sort?.key !== key
        ? { key, isDescending: first }
        : sort.isDescending === first
          ? { key, isDescending: !first }
          : undefined;
    this.look({ sort: next });
    this.grid.setSort(next);
    this.#makeRows();
    this.#saidOnly(next ? `Sorted by ${key}, ${next.isDescending ? "descending" : "ascending"}` : "In your own order");
  }

  /** Changes how the list is looked at. */
  look(change: Partial<View>): void {
    this.view.value = { ...this.view.value, ...change };
    writeView(this.#store, this.view.value);
    if (change.interval !== undefined) this.market.interval = change.interval;
  }

  open(symbol: string): void {
    this.opened.value = symbol;
    this.market.lookAt(symbol);
    this.grid.setOpened(symbol);
  }

  close(): void {
    const symbol = this.opened.value;
    this.opened.value = undefined;
    this.market.lookAt(undefined);
    this.grid.setOpened(undefined);
    if (symbol !== undefined) this.grid.focus(symbol);
  }

  /** Who is told when the open symbol has changed. @returns what ends it */
  onChart(touched: () => void): () => void {
    this.#chartTouched = touched;
    return () => {
      this.#chartTouched = () => {};
    };
  }

  say(note: Note): void {
    clearTimeout(this.#noteTimer);
    this.note.value = note;
    this.said.value = note.text;
    this.#noteTimer = setTimeout(() => {
      this.note.value = undefined;
    }, NOTE_TIME);
  }

  /** Says no more. */
  hush(): void {
    this.note.value = undefined;
  }

  /** A link that shows the list to somebody else. */
  get link(): string {
    return `${location.origin}${location.pathname}${linkOf(this.list.value)}`;
  }

  /** Makes the list of a link the user's own. */
  keepShared(): void {
    this.isShared.value = false;
    this.#keep(this.list.value);
    history.replaceState(null, "", location.pathname);
  }

  /** Goes back from the list of a link to the user's own. */
  leaveShared(): void {
    this.isShared.value = false;
    history.replaceState(null, "", location.pathname);
    const kept = readList(this.#store);
    this.isFirstVisit.value = !kept;
    this.#show(kept ?? []);
    if (!kept) void this.begin();
  }

  /** Another tab has changed what is kept. */
  keptElsewhere(key: string | null): void {
    if (key === LIST_KEY && !this.isShared.value) this.#show(readList(this.#store) ?? []);
  }

  #reorder(text: string, now: Watchlist): void {
    if (this.view.value.sort) {
      this.say({
        text: "The rows are sorted: they can be moved in your own order.",
        action: { title: "Go back to it", run: () => this.#unsort() },
      });
      return;
    }
    if (now === this.list.value) return;
    this.#change(now);
    this.#makeRows();
    const place = this.rows.value.findIndex((row) => keyOf(row) === text) + 1;
    this.#saidOnly(`${text} moved to row ${place}`);
    this.grid.focus(text);
  }

  #unsort(): void {
    this.look({ sort: undefined });
    this.grid.setSort(undefined);
    this.#makeRows();
  }

  #undo(before: Watchlist): Note["action"] {
    return {
      title: "Undo",
      run: () => {
        this.hush();
        this.#change(before);
      },
    };
  }

  /** The list is another one by the user's will: it is kept, unless it is somebody else's. */
  #change(list: Watchlist): void {
    if (!this.isShared.value && list !== this.list.value) this.#keep(list);
    this.isFirstVisit.value &&= list.length === 0;
    this.#show(list);
  }

  /** That the browser keeps nothing is said once, with the first change of the user's that is lost with the page. */
  #keep(list: Watchlist): void {
    if (writeList(this.#store, list) || this.isFirstVisit.value || this.#saidNotKept) return;
    this.#saidNotKept = true;
    setTimeout(() =>
      this.say({ text: "This browser keeps nothing for this page: the list is gone when it is closed." }),
    );
  }

  #show(list: Watchlist): void {
    this.list.value = list;
    this.market.watch(list);
    this.#makeRows();
  }

  #touched(instrument: Instrument): void {
    this.grid.touch(instrument.symbol);
    if (instrument.symbol === this.opened.value) this.#chartTouched();
  }

  #refused(message: string, text: string | undefined): void {
    if (text === undefined || text.endsWith("*")) this.say({ text: text ? `${text}: ${message}` : message });
    this.grid.touchAll();
  }

  #rowsLater(pause: number): void {
    this.#rowsTimer ??= setTimeout(() => this.#makeRows(), pause);
  }

  #makeRows(): void {
    clearTimeout(this.#rowsTimer);
    this.#rowsTimer = undefined;
    const { sort } = this.view.value;
    const rows = expand(this.list.value, this.market.symbols, this.filter.value.trim().toUpperCase());
    this.rows.value = sort ? sortRows(rows, sort, (symbol) => this.market.instruments.get(symbol)) : rows;
    this.grid.setRows(this.rows.value);
  }

  #saidOnly(text: string): void {
    this.said.value = text;
  }
}
