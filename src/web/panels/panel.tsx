/** One symbol in detail: its live chart and all its fields. On a phone it is a sheet over the list. */
import { useEffect, useRef, useState } from "preact/hooks";
import { changeOf } from "../../base/price.ts";
import type { ChartKind, LiveChart } from "../chart/chart.ts";
import type { Page } from "../page/page.ts";
import { clockText, delayText, measureText, spanText } from "../state/duration.ts";
import type { Instrument } from "../state/instrument.ts";
import { changeText, countText, percentText, priceText, shortText } from "../state/number.ts";
import { SHEET, useCell, useMedia } from "./hooks.ts";
import { Icon } from "./icons.tsx";

/** The time between two drawings of the numbers, ms: faster ones cannot be read. */
const PAUSE = 100;

export function Panel({ page, symbol }: { page: Page; symbol: string }) {
  const [kind, setKind] = useState<ChartKind>("line");
  const panel = useRef<HTMLElement>(null);
  const isSheet = useMedia(SHEET);
  // Beside the list the focus stays in the list, so that the arrow keys still move from row to row.
  useEffect(() => {
    if (isSheet) panel.current?.focus();
  }, [symbol, isSheet]);
  useUpdates(page);
  const instrument = page.market.instruments.get(symbol);
  const colon = symbol.indexOf(":");
  return (
    <aside class="panel" ref={panel} tabIndex={-1} aria-label={`Chart of ${symbol}`}>
      <header>
        <h2>
          {symbol.slice(colon + 1)} {colon > 0 && <small>{symbol.slice(0, colon)}</small>}
        </h2>
        <button type="button" class="tool" onClick={() => page.step(symbol, -1)} aria-label={`Move ${symbol} up`}>
          <Icon name="up" />
        </button>
        <button type="button" class="tool" onClick={() => page.step(symbol, 1)} aria-label={`Move ${symbol} down`}>
          <Icon name="down" />
        </button>
        <button
          type="button"
          class="tool"
          onClick={() => page.remove(symbol)}
          aria-label={`Take ${symbol} off the list`}
        >
          <Icon name="trash" />
        </button>
        <button type="button" class="tool" onClick={() => page.close()} aria-label="Close the chart">
          <Icon name="close" />
        </button>
      </header>
      {instrument && <Headline instrument={instrument} />}
      <ChartBox page={page} symbol={symbol} kind={kind} />
      <div class="chart-foot">
        <Since page={page} instrument={instrument} />
        <fieldset class="kinds">
          <legend class="sr">Chart</legend>
          {(["line", "bars"] as const).map((name) => (
            <label key={name}>
              <input type="radio" name="kind" checked={kind === name} onChange={() => setKind(name)} />
              <span>{name === "line" ? "Line" : "Candles"}</span>
            </label>
          ))}
        </fieldset>
      </div>
      {instrument && <Details page={page} instrument={instrument} />}
      <p class="credits">
        Charts by{" "}
        <a href="https://www.tradingview.com/" rel="noreferrer" target="_blank">
          TradingView
        </a>
      </p>
    </aside>
  );
}

function Headline({ instrument }: { instrument: Instrument }) {
  const { quote, price, change, share, direction, decimals } = instrument;
  const sign = change === null || change === 0 ? "none" : change > 0 ? "up" : "down";
  const arrow = direction === 0 ? "" : direction > 0 ? "▲" : "▼";
  const { since = 0, reason = "", delay = 0 } = quote ?? {};
  const { state = "unknown" } = instrument;
  return (
    <p class="headline" data-change={sign} data-state={state}>
      <span class="arrow" aria-hidden="true" data-direction={direction}>
        {arrow}
      </span>
      <strong>{priceText(price, decimals.count)}</strong>
      <span class="moved">
        {changeText(change, decimals.count)} ({percentText(share)})
      </span>
      {delay > 0 && (
        <span class="badge" title="Shown late on purpose">
          delayed {delayText(delay)}
        </span>
      )}
      {instrument.isOld && (
        <span class="badge" title={reason}>
          {instrument.stateText}
          {since > 0 && ` ${spanText(Date.now() - since / 1_000)}`}
        </span>
      )}
    </p>
  );
}

function Details({ page, instrument }: { page: Page; instrument: Instrument }) {
  const { decimals, quote } = instrument;
  // Fields that rows do not show, such as sizes, come with the subscription of the panel.
  const full = page.market.detail ?? quote;
  const price = (value: number | null | undefined) => priceText(value ?? null, decimals.count);
  const of = (value: number | null | undefined, size: number | null | undefined) =>
    typeof size === "number" ? `${price(value)} × ${shortText(size)}` : price(value);
  const spread = full && full.bid !== null && full.ask !== null ? changeOf(full.ask, full.bid) : null;
  const now = Date.now();
  const facts: readonly (readonly [string, string])[] = [
    ["Bid", of(full?.bid, full?.bidSize)],
    ["Ask", of(full?.ask, full?.askSize)],
    ["Spread", price(spread)],
    ["Last", of(full?.last, full?.lastSize)],
    ["Open", price(full?.open)],
    ["High", price(full?.high)],
    ["Low", price(full?.low)],
    ["Volume", shortText(full?.volume ?? null)],
    ["Time", full?.eventTime ? clockText(full.eventTime / 1_000, now) : "–"],
    ["Age", full?.seq ? measureText(full.age()) : "–"],
    ["Tick no.", full?.seq ? countText(full.seq) : "–"],
    ["Conflated", countText(full?.conflated ?? 0)],
  ];
  return (
    <dl class="facts">
      {facts.map(([title, text]) => (
        <div key={title}>
          <dt>{title}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}

function Since({ page, instrument }: { page: Page; instrument: Instrument | undefined }) {
  const chart = instrument && page.market.chartOf(instrument);
  if (!chart || chart.length === 0) return <span>No price yet</span>;
  return <span>Since {clockText(chart.timeAt(0), Date.now())}, when this page first saw it</span>;
}

interface ChartBoxProps {
  readonly page: Page;
  readonly symbol: string;
  readonly kind: ChartKind;
}

function ChartBox({ page, symbol, kind }: ChartBoxProps) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<LiveChart | undefined>(undefined);
  const [failed, setFailed] = useState(false);
  const palette = useCell(page.palette);

  // The code of the chart is loaded when the first chart is opened.
  useEffect(() => {
    let isOver = false;
    let frame = 0;
    const paint = () => {
      frame = 0;
      const instrument = page.market.instruments.get(symbol);
      if (instrument) chart.current?.paint(instrument, page.market.chartOf(instrument), Date.now());
    };
    const later = () => {
      frame ||= requestAnimationFrame(paint);
    };
    const end = page.onChartChange(later);
    const timer = setInterval(later, 1_000);
    import("../chart/chart.ts").then(
      ({ LiveChart }) => {
        if (isOver || !box.current) return;
        chart.current = new LiveChart(box.current, page.palette.value);
        chart.current.setKind(kind);
        paint();
      },
      () => setFailed(true),
    );
    return () => {
      isOver = true;
      end();
      clearInterval(timer);
      cancelAnimationFrame(frame);
      chart.current?.close();
      chart.current = undefined;
    };
  }, [page, symbol]);
  useEffect(() => chart.current?.setKind(kind), [kind]);
  useEffect(() => chart.current?.setPalette(palette), [palette]);

  return (
    <div class="chart" ref={box} role="img" aria-label={`Price of ${symbol} over time`}>
      {failed && <p class="nothing">The chart cannot be loaded. Reload the page to try again.</p>}
    </div>
  );
}

/** Draws the component again at a fixed interval. */
function useUpdates(page: Page): void {
  const [, draw] = useState({});
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") draw({});
    }, PAUSE);
    return () => clearInterval(timer);
  }, [page]);
}
