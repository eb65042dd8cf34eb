/**
 * The live chart of one symbol. Loaded when the first chart is opened: the charting library is larger than the rest of
 * the page.
 */
import {
  AreaSeries,
  type AutoscaleInfo,
  CandlestickSeries,
  ColorType,
  CrosshairMode,
  createChart,
  HistogramSeries,
  type IChartApi,
  type IPriceLine,
  type ISeriesApi,
  LineStyle,
  LineType,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import { clockText } from "../state/duration.ts";
import type { History } from "../state/history.ts";
import type { Instrument } from "../state/instrument.ts";
import { priceText, stepOf } from "../state/number.ts";
import type { Palette } from "../state/palette.ts";
import { type Moment, momentsOf } from "./moments.ts";

export type ChartKind = "line" | "bars";

/** The most moments that are drawn: more than there are pixels. */
const MOST_MOMENTS = 3_600;

export class LiveChart {
  readonly #chart: IChartApi;
  readonly #line: ISeriesApi<"Area">;
  readonly #bars: ISeriesApi<"Candlestick">;
  readonly #silence: ISeriesApi<"Histogram">;
  readonly #bid: IPriceLine;
  readonly #ask: IPriceLine;
  /** Bid and ask. */
  #levels: readonly [number | null, number | null] = [null, null];
  #palette: Palette;
  #kind: ChartKind = "line";
  /** What was drawn last: the history and its edition, the length of a moment (ms), and the end. */
  #drawn:
    | { history: History; edition: number; step: number; until: number; decimals: number; minMove: number }
    | undefined;

  constructor(element: HTMLElement, palette: Palette) {
    this.#palette = palette;
    this.#chart = createChart(element, {
      autoSize: true,
      // Its logo would need a style element, which the page's policy forbids: the panel has the attribution.
      layout: { attributionLogo: false, fontSize: 11, fontFamily: "inherit" },
      timeScale: {
        timeVisible: true,
        secondsVisible: true,
        rightOffset: 4,
        borderVisible: false,
        tickMarkFormatter: (time: Time) => clockText(Number(time) * 1_000, Date.now()),
      },
      localization: { timeFormatter: (time: Time) => clockText(Number(time) * 1_000, Date.now()) },
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.12, bottom: 0.12 } },
      crosshair: { mode: CrosshairMode.Magnet },
    });
    this.#silence = this.#chart.addSeries(HistogramSeries, {
      priceScaleId: "silence",
      lastValueVisible: false,
      priceLineVisible: false,
    });
    this.#silence.priceScale().applyOptions({ scaleMargins: { top: 0, bottom: 0 } });
    this.#line = this.#chart.addSeries(AreaSeries, {
      lineWidth: 2,
      lineType: LineType.WithSteps,
      priceLineVisible: false,
    });
    this.#bars = this.#chart.addSeries(CandlestickSeries, { visible: false, priceLineVisible: false });
    this.#line.applyOptions({ autoscaleInfoProvider: (own: () => AutoscaleInfo | null) => this.#withLevels(own()) });
    const level = {
      price: 0,
      lineWidth: 1,
      lineStyle: LineStyle.Dashed,
      axisLabelVisible: true,
      lineVisible: false,
    } as const;
    this.#bid = this.#line.createPriceLine({ ...level, title: "bid" });
    this.#ask = this.#line.createPriceLine({ ...level, title: "ask" });
    this.setPalette(palette);
  }

  setKind(kind: ChartKind): void {
    this.#kind = kind;
    // The lines of bid and ask belong to the line series: it stays, but is transparent.
    this.#bars.applyOptions({ visible: kind === "bars" });
    this.setPalette(this.#palette);
  }

  setPalette(palette: Palette): void {
    this.#palette = palette;
    const { text, dim, line, accent, up, down, surface } = palette;
    this.#chart.applyOptions({
      layout: { background: { type: ColorType.Solid, color: surface }, textColor: dim },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      crosshair: {
        vertLine: { color: dim, labelBackgroundColor: text },
        horzLine: { color: dim, labelBackgroundColor: text },
      },
    });
    const isLine = this.#kind === "line";
    this.#line.applyOptions({
      lineColor: isLine ? accent : "transparent",
      topColor: isLine ? `${accent}40` : "transparent",
      bottomColor: isLine ? `${accent}00` : "transparent",
      crosshairMarkerVisible: isLine,
      lastValueVisible: isLine,
    });
    this.#bars.applyOptions({
      ...{ upColor: up, borderUpColor: up, wickUpColor: up, lastValueVisible: !isLine },
      ...{ downColor: down, borderDownColor: down, wickDownColor: down },
    });
    this.#silence.applyOptions({ color: `${palette.warn}2e` });
    this.#bid.applyOptions({ color: up, axisLabelColor: up, axisLabelTextColor: surface });
    this.#ask.applyOptions({ color: down, axisLabelColor: down, axisLabelTextColor: surface });
  }

  /** Draws what has changed since the last call. @param now ms since the Unix epoch */
  paint(instrument: Instrument, history: History, now: number): void {
    if (history.length === 0) return;
    const decimals = instrument.decimals.count;
    const minMove = stepOf(history.closeAt(history.length - 1), decimals);
    const first = history.timeAt(0);
    const step = history.step * Math.max(1, Math.ceil((now - first) / history.step / MOST_MOMENTS));
    const drawn = this.#drawn;
    const isSame =
      drawn?.history === history &&
      drawn.edition === history.edition &&
      drawn.step === step &&
      drawn.decimals === decimals &&
      drawn.minMove === minMove;
    if (!isSame) {
      const formatter = (price: number) => priceText(price, decimals);
      const priceFormat = { type: "custom", formatter, minMove } as const;
      this.#line.applyOptions({ priceFormat });
      this.#bars.applyOptions({ priceFormat });
    }
    const moments = momentsOf(history, instrument.silences, step, isSame ? drawn.until : undefined, now);
    if (isSame) for (const moment of moments) this.#add(moment);
    else this.#fill(moments);
    const until = moments.at(-1);
    this.#drawn = { history, edition: history.edition, step, decimals, minMove, until: until ? until.start : first };
    this.#levels = [instrument.quote?.bid ?? null, instrument.quote?.ask ?? null];
    this.#level(this.#bid, this.#levels[0]);
    this.#level(this.#ask, this.#levels[1]);
  }

  close(): void {
    this.#chart.remove();
  }

  #level(level: IPriceLine, price: number | null): void {
    level.applyOptions({ price: price ?? 0, lineVisible: price !== null, axisLabelVisible: price !== null });
  }

  /** The price range to show, with bid and ask in it. */
  #withLevels(info: AutoscaleInfo | null): AutoscaleInfo | null {
    if (!info?.priceRange) return info;
    const { minValue, maxValue } = info.priceRange;
    const levels = this.#levels.filter((price) => price !== null);
    const priceRange = { minValue: Math.min(minValue, ...levels), maxValue: Math.max(maxValue, ...levels) };
    return { ...info, priceRange };
  }

  #fill(moments: readonly Moment[]): void {
    this.#line.setData(moments.map((moment) => point(moment)));
    this.#bars.setData(moments.map((moment) => candle(moment)));
    this.#silence.setData(moments.map((moment) => shade(moment)));
    // The latest minutes at first; the user can scroll back.
    const last = moments.length + 2;
    this.#chart.timeScale().setVisibleLogicalRange({ from: Math.max(last - 300, Math.min(0, last - 60)), to: last });
  }

  #add(moment: Moment): void {
    this.#line.update(point(moment));
    this.#bars.update(candle(moment));
    this.#silence.update(shade(moment));
  }
}

function timeOf({ start }: Moment): UTCTimestamp {
  return Math.floor(start / 1_000) as UTCTimestamp;
}

function point(moment: Moment) {
  return { time: timeOf(moment), value: moment.close };
}

function candle(moment: Moment) {
  const { bar } = moment;
  if (!bar) return { time: timeOf(moment) };
  return { time: timeOf(moment), open: bar.open, high: bar.high, low: bar.low, close: bar.close };
}

function shade(moment: Moment) {
  return moment.isSilent ? { time: timeOf(moment), value: 1 } : { time: timeOf(moment) };
}
