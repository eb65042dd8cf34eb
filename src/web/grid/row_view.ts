/** The row of a symbol on the screen. It paints only the cells that have changed; its elements are reused. */

import type { Rejection } from "../../client/client.ts";
import { clockText, delayText, spanText } from "../state/duration.ts";
import type { Instrument } from "../state/instrument.ts";
import { changeText, NOTHING, percentText, priceText, shortText } from "../state/number.ts";
import type { SymbolRow } from "../state/rows.ts";
import { COLUMNS, type ColumnId } from "./columns.ts";
import type { Flashes } from "./flash.ts";
import { Sparkline } from "./sparkline.ts";

/** The shortest time between two drawings of a trend, ms. */
const TREND_PAUSE = 250;
/** After a pause of painting this long, changes do not flash, ms: they may be old. */
const PAUSE = 10_000;
/** The most characters of a price in the usual size, and in the smaller one. */
const LONG = 9;
const LONGEST = 13;
const ARROWS: Readonly<Record<number, string>> = { [-1]: "▼", 0: "", 1: "▲" };

/** What a row needs to be painted. */
export interface Scene {
  readonly flashes: Flashes;
  /** ms since the Unix epoch. */
  readonly now: number;
  /** Whether a column is shown. */
  readonly isShown: (id: ColumnId) => boolean;
  /** The size of a trend, CSS pixels. */
  readonly trendWidth: number;
  readonly trendHeight: number;
}

/** A text node that is written only when its text changes. */
class Label {
  readonly node = document.createTextNode("");
  #text = "";

  set text(text: string) {
    if (text === this.#text) return;
    this.#text = text;
    this.node.data = text;
  }
}

/** A number that must fit into its column: with many digits it is smaller, with more it is cut off with an ellipsis. */
class Sized {
  readonly #cell: HTMLElement;
  readonly #label = new Label();
  #size = "";

  constructor(cell: HTMLElement) {
    this.#cell = cell;
    cell.append(this.#label.node);
  }

  set text(text: string) {
    this.#label.text = text;
    const size = text.length <= LONG ? "" : text.length <= LONGEST ? "long" : "longest";
    if (size === this.#size) return;
    this.#size = size;
    this.#cell.dataset.size = size;
  }
}

/** A price that flashes when it changes. */
class Price {
  readonly #cell: HTMLElement;
  readonly #label: Sized;
  #value: number | null = null;

  constructor(cell: HTMLElement) {
    this.#cell = cell;
    this.#label = new Sized(cell);
  }

  paint(value: number | null, decimals: number, { flashes, now }: Scene): void {
    if (value !== this.#value && value !== null && this.#value !== null)
      flashes.begin(this.#cell, value - this.#value, now);
    this.#value = value;
    this.#label.text = priceText(value, decimals);
  }

  forget(flashes: Flashes): void {
    this.#value = null;
    flashes.end(this.#cell);
  }
}

export class RowView {
  readonly element = document.createElement("div");
  readonly cells: ReadonlyMap<ColumnId, HTMLElement>;
  row: SymbolRow | undefined;
  readonly #venue = new Label();
  readonly #name = new Label();
  readonly #arrow = new Label();
  readonly #change: Sized;
  readonly #percent: Sized;
  readonly #percentArrow = new Label();
  readonly #low = new Label();
  readonly #high = new Label();
  readonly #volume = new Label();
  readonly #time = new Label();
  readonly #badge = document.createElement("span");
  readonly #badgeText = new Label();
  readonly #mark = document.createElement("i");
  readonly #trend = new Sparkline();
  readonly #last: Price;
  readonly #bid: Price;
  readonly #ask: Price;
  /** The trend as it was drawn last. */
  #drawn: { price: number | null; length: number; at: number; width: number } | undefined;
  #instrument: Instrument | undefined;
  #markAt = -1;
  #top = -1;
  #paintedAt = 0;
  #sign = "";
  #state = "";
  #delay = 0;

  constructor() {
    this.element.className = "row";
    this.element.setAttribute("role", "row");
    this.cells = new Map(
      COLUMNS.map(({ id }, index) => {
        const cell = document.createElement("div");
        cell.className = `cell ${id}`;
        cell.setAttribute("role", "gridcell");
        cell.setAttribute("aria-colindex", String(index + 1));
        cell.dataset.column = id;
        cell.tabIndex = -1;
        return [id, cell];
      }),
    );
    for (const cell of this.cells.values()) this.element.append(cell);

    const symbol = this.#cell("symbol");
    symbol.append(wrap("name", this.#name.node), " ", wrap("venue", this.#venue.node), " ", this.#badge);
    this.#badge.className = "badge";
    this.#badge.append(this.#badgeText.node);
    this.#cell("trend").append(this.#trend.element);
    const last = this.#cell("last");
    last.append(wrap("arrow", this.#arrow.node, true));
    this.#last = new Price(last);
    this.#bid = new Price(this.#cell("bid"));
    this.#ask = new Price(this.#cell("ask"));
    this.#change = new Sized(this.#cell("change"));
    this.#cell("percent").append(wrap("arrow", this.#percentArrow.node, true));
    this.#percent = new Sized(this.#cell("percent"));
    const bar = document.createElement("span");
    bar.className = "bar";
    this.#mark.hidden = true;
    bar.append(this.#mark);
    this.#cell("range").append(wrap("low", this.#low.node), bar, wrap("high", this.#high.node));
    this.#cell("volume").append(this.#volume.node);
    this.#cell("time").append(this.#time.node);
  }

  /** Shows a symbol in this row. */
  show(row: SymbolRow, index: number, flashes: Flashes): void {
    const isOther = this.row?.symbol !== row.symbol;
    this.row = row;
    this.element.setAttribute("aria-rowindex", String(index + 2));
    this.element.dataset.member = String(row.pattern !== undefined);
    if (!isOther) return;
    const colon = row.symbol.indexOf(":");
    this.#name.text = row.symbol.slice(colon + 1);
    this.#venue.text = colon > 0 ? row.symbol.slice(0, colon) : "";
    this.element.dataset.symbol = row.symbol;
    this.endFlashes(flashes);
    this.#drawn = undefined;
    this.#instrument = undefined;
  }

  /** @param top its position in the list, CSS pixels */
  moveTo(top: number): void {
    if (top === this.#top) return;
    this.#top = top;
    this.element.style.top = `${top}px`;
  }

  /** Ends the flashes, and forgets the prices, so that the next ones do not flash. */
  endFlashes(flashes: Flashes): void {
    for (const price of [this.#last, this.#bid, this.#ask]) price.forget(flashes);
  }

  /** Paints the present state of the symbol. */
  paint(instrument: Instrument | undefined, refusal: Rejection | undefined, scene: Scene): void {
    const { now, isShown } = scene;
    const isSame = this.#instrument === instrument;
    this.#instrument = instrument;
    const quote = instrument?.quote;
    const decimals = instrument?.decimals.count ?? 2;
    if (!isSame || now - this.#paintedAt > PAUSE) this.endFlashes(scene.flashes);
    this.#paintedAt = now;
    this.#last.paint(instrument?.price ?? null, decimals, scene);
    this.#arrow.text = ARROWS[instrument?.direction ?? 0];
    const change = instrument?.change ?? null;
    const sign = change === null || change === 0 ? "none" : change > 0 ? "up" : "down";
    if (sign !== this.#sign) {
      this.#sign = sign;
      this.element.dataset.change = sign;
    }
    const share = instrument?.share ?? null;
    this.#percentArrow.text = ARROWS[share === null ? 0 : Math.sign(share)];
    this.#percent.text = percentText(share);
    if (isShown("change")) this.#change.text = changeText(change, decimals);
    if (isShown("bid")) this.#bid.paint(quote?.bid ?? null, decimals, scene);
    if (isShown("ask")) this.#ask.paint(quote?.ask ?? null, decimals, scene);
    if (isShown("volume")) this.#volume.text = shortText(quote?.volume ?? null);
    if (isShown("range")) this.#paintRange(instrument, decimals);
    if (isShown("time")) this.#time.text = quote?.eventTime ? clockText(quote.eventTime / 1_000, now) : NOTHING;
    this.#paintState(instrument, refusal, now);
    if (isShown("trend")) this.#paintTrend(instrument, scene);
  }

  #paintState(instrument: Instrument | undefined, refusal: Rejection | undefined, now: number): void {
    // The gateway has not answered yet.
    const state = refusal ? "refused" : (instrument?.state ?? "awaited");
    if (state !== this.#state) {
      this.#state = state;
      this.element.dataset.state = state;
    }
    const { delay = 0 } = instrument?.quote ?? {};
    if (delay !== this.#delay) {
      this.#delay = delay;
      this.element.toggleAttribute("data-delayed", delay > 0);
    }
    if (state === "live" && delay > 0) {
      this.#badgeText.text = `delayed ${delayText(delay)}`;
      this.#badge.title = `Shown ${delayText(delay)} late on purpose`;
      return;
    }
    if (state === "live" || state === "awaited") {
      this.#badgeText.text = "";
      return;
    }
    const { reason = "", since = 0 } = instrument?.quote ?? {};
    if (state === "stale" || state === "closed") {
      const text = instrument?.stateText ?? state;
      this.#badgeText.text = since > 0 ? `${text} ${spanText(now - since / 1_000)}` : text;
      const from = since > 0 ? ` The price is from ${clockText(since / 1_000, now)}.` : "";
      this.#badge.title = `${reason || "Its feed has gone silent"}.${from}`;
    } else {
      const isDenied = refusal?.code === "not_entitled";
      this.#badgeText.text = isDenied ? "not entitled" : refusal ? "refused" : "no tick yet";
      this.#badge.title = refusal?.message ?? "The gateway has had no tick of it";
    }
  }

  #paintRange(instrument: Instrument | undefined, decimals: number): void {
    const { low = null, high = null } = instrument?.quote ?? {};
    this.#low.text = priceText(low, decimals);
    this.#high.text = priceText(high, decimals);
    const price = instrument?.price ?? null;
    const isKnown = low !== null && high !== null && price !== null && high > low;
    const at = isKnown ? Math.round(Math.min(Math.max((price - low) / (high - low), 0), 1) * 100) : -1;
    if (at === this.#markAt) return;
    this.#markAt = at;
    this.#mark.hidden = at < 0;
    this.#mark.style.left = `${at}%`;
  }

  #paintTrend(instrument: Instrument | undefined, { now, trendWidth, trendHeight }: Scene): void {
    const drawn = this.#drawn;
    const price = instrument?.price ?? null;
    const length = instrument?.trend.length ?? 0;
    if (drawn?.width === trendWidth) {
      if (drawn.price === price && drawn.length === length) return;
      if (now - drawn.at < TREND_PAUSE) return;
    }
    this.#drawn = { price, length, at: now, width: trendWidth };
    if (instrument) this.#trend.draw(instrument.trend, instrument.quote?.open ?? null, trendWidth, trendHeight);
    else this.#trend.clear();
  }

  #cell(id: ColumnId): HTMLElement {
    return this.cells.get(id) as HTMLElement;
  }
}

function wrap(name: string, node: Node, isHidden = false): HTMLElement {
  const element = document.createElement("span");
  element.className = name;
  if (isHidden) element.setAttribute("aria-hidden", "true");
  element.append(node);
  return element;
}
