/** The model of the page: the watchlist, the preferences, the commands of the user. Panels observe its cells. */

import { Grid } from "../grid/grid.ts";
import { Cell } from "../state/cell.ts";
import type { Instrument } from "../state/instrument.ts";
import {
  LIST_KEY,
  linkOf,
  type Preferences,
  readLink,
  readList,
  readPreferences,
  type SortKey,
  type Store,
  writeList,
  writePreferences,
} from "../state/keep.ts";
import { Market } from "../state/market.ts";
import { countText } from "../state/number.ts";
import { readPalette } from "../state/palette.ts";
import { expand, keyOf, type Row, sortRows } from "../state/rows.ts";
import { loadSymbols } from "../state/symbols.ts";
import { readToken, type TokenStore, writeToken } from "../state/token.ts";
import { add, fold, isWatchable, move, ownerOf, remove, step, type Watchlist } from "../state/watchlist.ts";

/** The number of symbols in the list of a first visit. */
const FIRST_SYMBOLS = 50;
/** The shortest time between two updates of the rows: for new symbols, and for changed sort values. ms. */
const ROWS_PAUSE = 250;
const SORT_PAUSE = 1_000;
/** How long a note is shown, ms. */
const NOTE_TIME = 6_000;

/** A message to the user, with an optional action. */
export interface Note {
  readonly text: string;
  readonly action?: { readonly title: string; run(): void };
}

export class Page {
  readonly list: Cell<Watchlist>;
  readonly preferences: Cell<Preferences>;
  readonly filter = new Cell("");
  /** The rows of the grid, with the heads of groups. */
  readonly rows = new Cell<readonly Row[]>([]);
  /** The symbol whose chart is open. */
  readonly opened = new Cell<string | undefined>(undefined);
  readonly note = new Cell<Note | undefined>(undefined);
  /** The last action, for screen readers. */
  readonly announced = new Cell("");
  /** Whether the list is from a link: it is not stored until the user keeps it. */
  readonly isShared: Cell<boolean>;
  /** Whether this is a first visit, whose list is not filled yet. */
  readonly isFirstVisit: Cell<boolean>;
  /** The colours of the theme. */
  readonly palette = new Cell(readPalette());
  readonly market: Market;
  readonly grid: Grid;
  readonly #store: Store | undefined;
  readonly #tokenStore: TokenStore | undefined;
  /** Is called when the symbol of the open chart has changed. */
  #chartChanged: () => void = () => {};
  #hasWarnedNotKept = false;
  #rowsTimer: ReturnType<typeof setTimeout> | undefined;
  #noteTimer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param url of the gateway: `wss://HOST/v1/stream`
   * @param hash of the page's address
   */
  constructor(url: string, store: Store | undefined, tokenStore: TokenStore | undefined, hash: string) {
    this.#store = store;
    this.#tokenStore = tokenStore;
    const shared = readLink(hash);
    const kept = readList(store);
    this.isShared = new Cell(shared !== undefined);
    this.isFirstVisit = new Cell(!shared && !kept);
    this.list = new Cell(shared ?? kept ?? []);
    this.preferences = new Cell(readPreferences(store));
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
    this.market = new Market(url, readToken(tokenStore), this.preferences.value.interval, {
      changed: (instrument) => this.#instrumentChanged(instrument),
      membersChanged: () => this.#rowsLater(ROWS_PAUSE),
      refused: (message, text) => this.#refused(message, text),
    });
    this.grid.setSort(this.preferences.value.sort);
    this.market.watch(this.list.value);
    this.#makeRows();
    setInterval(() => {
      const key = this.preferences.value.sort?.key;
      if (key && key !== "symbol") this.#rowsLater(0);
    }, SORT_PAUSE);
    this.filter.watch(() => this.#makeRows());
    this.market.link.watch(({ phase }) => {
      this.grid.setOld(phase === "silent" || phase === "lost" || phase === "refused");
      document.title = phase === "live" || phase === "connecting" ? "Tickgate" : "Disconnected – Tickgate";
      if (phase === "live" && this.isFirstVisit.value) void this.begin();
    });
  }

  /** Fills the list of a first visit with the first symbols of the gateway; tries again later if it has none yet. */
  async begin(): Promise<void> {
    const symbols = await loadSymbols(this.market.token).catch(() => []);
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

  /** Adds symbols and patterns to the list, and shows the first of them. */
  add(texts: readonly string[]): void {
    const before = this.list.value;
    const now = add(before, texts);
    const [first] = texts;
    this.filter.value = "";
    this.#change(now);
    const count = now.length - before.length;
    if (count > 1) this.say({ text: `${countText(count)} added`, action: this.#undo(before) });
    else if (now === before && texts.length === 1 && isWatchable(first))
      this.#announce(`${first} is on the list already`);
    else this.#announce(`${first} added`);
    const owner = ownerOf(now, first);
    if (owner?.isFolded) this.#change(fold(now, owner.text, false));
    this.#makeRows();
    // At the top, so that the rows after it are visible: those of a pattern, or the others that were added.
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

  /** Cycles: descending, ascending, the order of the list; for symbols ascending first. */
  sortBy(key: SortKey): void {
    const { sort } = this.preferences.value;
    const first = key !== "symbol";
    const next =
      sort?.key !== key
        ? { key, isDescending: first }
        : sort.isDescending === first
          ? { key, isDescending: !first }
          : undefined;
    this.setPreferences({ sort: next });
    this.grid.setSort(next);
    this.#makeRows();
    this.#announce(next ? `Sorted by ${key}, ${next.isDescending ? "descending" : "ascending"}` : "In your own order");
  }

  /** Changes and stores preferences. */
  setPreferences(change: Partial<Preferences>): void {
    this.preferences.value = { ...this.preferences.value, ...change };
    writePreferences(this.#store, this.preferences.value);
    if (change.interval !== undefined) this.market.interval = change.interval;
  }

  open(symbol: string): void {
    this.opened.value = symbol;
    this.market.openDetail(symbol);
    this.grid.setOpened(symbol);
  }

  close(): void {
    const symbol = this.opened.value;
    this.opened.value = undefined;
    this.market.openDetail(undefined);
    this.grid.setOpened(undefined);
    if (symbol !== undefined) this.grid.focus(symbol);
  }

  /** Sets the function to call when the symbol of the open chart has changed. @returns a function that removes it */
  onChartChange(changed: () => void): () => void {
    this.#chartChanged = changed;
    return () => {
      this.#chartChanged = () => {};
    };
  }

  say(note: Note): void {
    clearTimeout(this.#noteTimer);
    this.note.value = note;
    this.announced.value = note.text;
    this.#noteTimer = setTimeout(() => {
      this.note.value = undefined;
    }, NOTE_TIME);
  }

  /** Closes the note. */
  closeNote(): void {
    this.note.value = undefined;
  }

  /**
   * Begins again with another token, or without one where it is undefined.
   * @returns false if the browser cannot store it
   */
  useToken(token: string | undefined): boolean {
    const isStored = writeToken(this.#tokenStore, token);
    if (isStored) location.reload();
    return isStored;
  }

  /** A link that opens this list. */
  get link(): string {
    return `${location.origin}${location.pathname}${linkOf(this.list.value)}`;
  }

  /** Stores the list of a link as the user's own. */
  keepShared(): void {
    this.isShared.value = false;
    this.#keep(this.list.value);
    history.replaceState(null, "", location.pathname);
  }

  /** Returns from the list of a link to the user's own. */
  leaveShared(): void {
    this.isShared.value = false;
    history.replaceState(null, "", location.pathname);
    const kept = readList(this.#store);
    this.isFirstVisit.value = !kept;
    this.#show(kept ?? []);
    if (!kept) void this.begin();
  }

  /** Another tab has changed the stored list. */
  keptElsewhere(key: string | null): void {
    if (key === LIST_KEY && !this.isShared.value) this.#show(readList(this.#store) ?? []);
  }

  #reorder(text: string, now: Watchlist): void {
    if (this.preferences.value.sort) {
      this.say({
        text: "The rows are sorted: they can be moved in your own order.",
        action: { title: "Go back to it", run: () => this.#unsort() },
      });
      return;
    }
    if (now === this.list.value) return;
    this.#change(now);
    this.#makeRows();
    const position = this.rows.value.findIndex((row) => keyOf(row) === text) + 1;
    this.#announce(`${text} moved to row ${position}`);
    this.grid.focus(text);
  }

  #unsort(): void {
    this.setPreferences({ sort: undefined });
    this.grid.setSort(undefined);
    this.#makeRows();
  }

  #undo(before: Watchlist): Note["action"] {
    return {
      title: "Undo",
      run: () => {
        this.closeNote();
        this.#change(before);
      },
    };
  }

  /** The user has changed the list: stores it, unless it is the list of a link. */
  #change(list: Watchlist): void {
    if (!this.isShared.value && list !== this.list.value) this.#keep(list);
    this.isFirstVisit.value &&= list.length === 0;
    this.#show(list);
  }

  /** Stores the list. If the browser cannot, a note says so once, at the first change that will be lost. */
  #keep(list: Watchlist): void {
    if (writeList(this.#store, list) || this.isFirstVisit.value || this.#hasWarnedNotKept) return;
    this.#hasWarnedNotKept = true;
    setTimeout(() =>
      this.say({ text: "This browser keeps nothing for this page: the list is gone when it is closed." }),
    );
  }

  #show(list: Watchlist): void {
    this.list.value = list;
    this.market.watch(list);
    this.#makeRows();
  }

  #instrumentChanged(instrument: Instrument): void {
    this.grid.touch(instrument.symbol);
    if (instrument.symbol === this.opened.value) this.#chartChanged();
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
    const { sort } = this.preferences.value;
    const rows = expand(this.list.value, this.market.symbols, this.filter.value.trim().toUpperCase());
    this.rows.value = sort ? sortRows(rows, sort, (symbol) => this.market.instruments.get(symbol)) : rows;
    this.grid.setRows(this.rows.value);
  }

  #announce(text: string): void {
    this.announced.value = text;
  }
}
