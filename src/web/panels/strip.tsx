/** The strip at the foot of the page: figures of the connection, and the choice of the interval. */
import { useEffect, useState } from "preact/hooks";
import type { Page } from "../page/page.ts";
import { intervalText, measureText } from "../state/duration.ts";
import { INTERVALS } from "../state/keep.ts";
import { latenessText } from "../state/lateness.ts";
import type { LinkState } from "../state/market.ts";
import { bytesText, countText, shortText } from "../state/number.ts";
import { useCell } from "./hooks.ts";
import { Icon } from "./icons.tsx";
import { Rates } from "./rates.ts";

/** The time between two samples, ms. */
const PAUSE = 1_000;

interface Numbers {
  readonly ticks: number;
  readonly frames: number;
  readonly painted: number;
  readonly bytes: number;
  /** The conflated part of all ticks; undefined if there were none. */
  readonly conflated: number | undefined;
  readonly roundTrip: number | undefined;
  readonly p50: number | undefined;
  readonly p99: number | undefined;
}

const NO_NUMBERS: Numbers = {
  ...{ ticks: 0, frames: 0, painted: 0, bytes: 0, conflated: undefined },
  ...{ roundTrip: undefined, p50: undefined, p99: undefined },
};

const WORDS: Readonly<Record<LinkState["phase"], string>> = {
  connecting: "Connecting",
  live: "Live",
  silent: "No answer",
  lost: "Disconnected",
  refused: "Refused",
};

export function Strip({ page, isCovered }: { page: Page; isCovered: boolean }) {
  const [isWide, setWide] = useState(false);
  const { phase, node } = useCell(page.market.link);
  const slowness = useCell(page.market.slowness);
  const late = latenessText(useCell(page.market.lateness));
  const rows = useCell(page.rows);
  const numbers = useNumbers(page);
  const symbols = rows.filter((row) => row.kind === "symbol").length;
  const isLive = phase === "live";
  const value = (text: string) => (isLive ? text : "–");
  return (
    <footer class="strip" data-wide={isWide} inert={isCovered}>
      <div class="state" data-phase={phase} title={node ? `Node ${node}` : undefined}>
        <i aria-hidden="true" />
        <span>{WORDS[phase]}</span>
      </div>
      {late !== "" && (
        <div class="slow late" title="On purpose: live prices need another entitlement">
          {late}
        </div>
      )}
      {slowness && (
        <div
          class="slow"
          title={slowness.reason === "client" ? "This connection reads too slowly" : "The gateway is saturated"}
        >
          Slowed to {intervalText(slowness.interval)}:{" "}
          {slowness.reason === "client" ? "slow connection" : "busy gateway"}
        </div>
      )}
      <dl class="numbers" id="numbers">
        <Figure id="roundTrip" title="Round trip" text={value(measureText(numbers.roundTrip))} />
        <Figure
          id="updates"
          title="Updates"
          text={value(`${shortText(Math.round(numbers.ticks))}/s`)}
          hint="Ticks received"
        />
        <Figure
          id="frames"
          title="Frames"
          text={value(`${Math.round(numbers.frames)}/s`)}
          hint={`Messages with ticks in them; painted ${Math.round(numbers.painted)} times a second`}
        />
        <Figure
          id="painted"
          title="Painted"
          text={`${Math.round(numbers.painted)}/s`}
          hint="How often the grid was painted"
        />
        <Figure
          id="conflated"
          title="Conflated"
          text={value(numbers.conflated === undefined ? "–" : `${Math.round(numbers.conflated * 100)}%`)}
          hint="Of all ticks, those that a newer one replaced before it was sent: the more, the longer the interval"
        />
        <Figure
          id="bytes"
          title="Data"
          text={value(`${bytesText(Math.round(numbers.bytes))}/s`)}
          hint="All bytes from the gateway"
        />
        <Figure
          id="age"
          title="Age p50 / p99"
          text={value(`${measureText(numbers.p50)} / ${measureText(numbers.p99)}`)}
          hint="Age of the latest ticks on arrival, by the time of the source"
        />
        <Figure id="count" title="Symbols" text={countText(symbols)} />
      </dl>
      <Intervals page={page} />
      <button
        type="button"
        class="tool unfold"
        aria-expanded={isWide}
        aria-controls="numbers"
        aria-label="All numbers"
        onClick={() => setWide(!isWide)}
      >
        <Icon name={isWide ? "less" : "more"} />
      </button>
    </footer>
  );
}

function Figure({ id, title, text, hint }: { id: string; title: string; text: string; hint?: string }) {
  return (
    <div title={hint} data-figure={id}>
      <dt>{title}</dt>
      <dd>{text}</dd>
    </div>
  );
}

/** The choice of the interval. */
function Intervals({ page }: { page: Page }) {
  const { interval } = useCell(page.preferences);
  return (
    <fieldset class="intervals">
      <legend title="At most one update of a symbol in so long; what comes in between is conflated">Every</legend>
      {INTERVALS.map((millis) => (
        <label key={millis} title={millis === 0 ? "Each tick, as soon as possible" : undefined}>
          <input
            type="radio"
            name="interval"
            value={millis}
            checked={millis === interval}
            onChange={() => page.setPreferences({ interval: millis })}
          />
          <span>{millis === 0 ? "tick" : intervalText(millis)}</span>
        </label>
      ))}
    </fieldset>
  );
}

function useNumbers(page: Page): Numbers {
  const [numbers, setNumbers] = useState(NO_NUMBERS);
  useEffect(() => {
    const rates = new Rates<"ticks" | "frames" | "painted" | "bytes" | "conflated">();
    const take = () => {
      const { ticks, frames, bytes, conflated, roundTrip, age } = page.market.client.stats;
      rates.add(performance.now(), { ticks, frames, bytes, conflated, painted: page.grid.painted });
      const all = rates.grown("ticks") + rates.grown("conflated");
      setNumbers({
        ...{ ticks: rates.rate("ticks"), frames: rates.rate("frames"), painted: rates.rate("painted") },
        ...{ bytes: rates.rate("bytes"), conflated: all > 0 ? rates.grown("conflated") / all : undefined },
        ...{ roundTrip, p50: age.p50, p99: age.p99 },
      });
    };
    take();
    const timer = setInterval(take, PAUSE);
    return () => clearInterval(timer);
  }, [page]);
  return numbers;
}
