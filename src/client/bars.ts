/**
 * Bars: open, high, low, close and volume of intervals of time, past ones and those that form.
 * @module tickgate/client/bars
 */
import type { Resolution } from "../protocol/messages.ts";
import type { TickRecord, TickValues } from "./records/tick_record.ts";
import type { View } from "./records/view.ts";
import type { ViewChannel } from "./sync/subscription.ts";

export type { Resolution } from "../protocol/messages.ts";

/** A bar. Never changed: replaced. */
export interface Bar {
  /** When it begins, microseconds since the Unix epoch, in UTC. */
  readonly start: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
  /** How many trades it is made of; 0 where the venue does not say. */
  readonly trades: number;
  /** Whether it will not change any more, but for corrections. */
  readonly isClosed: boolean;
  /** Whether it has changed after it was closed. */
  readonly isCorrected: boolean;
  /** Whether the feed was not connected throughout: trades may be missing. */
  readonly isPartial: boolean;
}

/** The latest bars of one symbol. The same object lives through ticks and reconnects. */
export interface BarSeries extends View {
  /** By their start, the newest last, which may still be forming. A new list for each call. */
  readonly bars: readonly Bar[];
}

/** The options of bars. */
export interface BarTerms {
  /** How many of the latest bars a series holds, and come first: from 1 to 5,000; 300 when left out. */
  readonly last?: number | undefined;
}

/** The bars that a record keeps. */
interface Kept {
  readonly bars: Bar[];
  /** The latest changes, the newest last, and how many there were in all. */
  readonly changes: Bar[];
  changed: number;
  /** Past ones of the grant that are still to come. */
  due: number;
}

const DEFAULT_LAST = 300;
const MOST_BARS = 5_000;
/** A number from 1 to 50 is asked for in the commands: so many bars. */
const STEP = 100;

function lastOf({ last = DEFAULT_LAST }: BarTerms): number {
  if (!(Number.isInteger(last) && last >= 1 && last <= MOST_BARS))
    throw new RangeError(`last is from 1 to ${MOST_BARS}, not ${last}`);
  return last;
}

function keptOf({ content }: TickRecord): Kept {
  return content as Kept;
}

function add(record: TickRecord, values: TickValues, start: number): void {
  const kept = keptOf(record);
  const { bars, changes } = kept;
  const [open, high, low, close, volume, trades, flags] = values as readonly number[];
  // What the longest series of the symbol needs.
  const most = Math.max(1, ...record.views.map(({ listener }) => lastOf(listener.terms)));
  const is = (flag: number) => (flags & flag) > 0;
  const states = { isClosed: is(1), isCorrected: is(2), isPartial: is(4) };
  const bar: Bar = { start, open, high, low, close, volume, trades, ...states };
  let at = bars.length;
  while (at > 0 && bars[at - 1].start >= start) at--;
  const isKnown = bars[at]?.start === start;
  // After a reconnect most come again.
  if (isKnown && Object.entries(bar).every(([name, value]) => bars[at][name as keyof Bar] === value)) return;
  bars.splice(at, isKnown ? 1 : 0, bar);
  while (bars.length > most) bars.shift();
  changes.push(bar);
  while (changes.length > most) changes.shift();
  kept.changed++;
}

/**
 * The channel of bars of one resolution, for the option `channel`. The callback is called with each bar that has
 * changed, the oldest change first; without a bar it tells of a new state.
 */
export function bars(
  resolution: Resolution,
): ViewChannel<BarSeries, BarTerms, [series: BarSeries, bar: Bar | undefined]> {
  return {
    name: `bar${resolution}`,
    commandKeys: { channel: "bar", resolution },
    demand: (terms) => Math.ceil(lastOf(terms) / STEP),
    merge: Math.max,
    terms: (steps) => ({ last: steps * STEP }),
    content: (): Kept => ({ bars: [], changes: [], changed: 0, due: 0 }),
    view: (Base) =>
      class extends Base {
        /** How many of the changes the callback was called with. */
        called: number;

        constructor(...args: ConstructorParameters<typeof Base>) {
          super(...args);
          const { changed, changes } = keptOf(this.record);
          this.called = changed - changes.length;
        }

        get bars() {
          return keptOf(this.record).bars.slice(-lastOf(this.listener.terms));
        }

        /** What the callback is called with besides the series, one call each. */
        override *news(): Iterable<Bar | undefined> {
          const { changes, changed } = keptOf(this.record);
          if (this.called === changed) yield undefined;
          this.called = Math.max(this.called, changed - changes.length);
          while (this.called < changed) yield changes.at(this.called++ - changed);
        }
      },
    granted(record, _message, count) {
      keptOf(record).due = count;
    },
    fits(_record, values) {
      if (values.length < 7) return false;
      if (!values.every(Number.isFinite)) throw new TypeError("not a bar");
      return true;
    },
    judge(record, values, seq, start, violated) {
      const kept = keptOf(record);
      const isPast = kept.due > 0;
      if (isPast) kept.due--;
      if (isPast && seq === 0) {
        add(record, values, start);
        return false;
      }
      // The newest of the past ones has the stream's number: there is nothing to compare it with.
      if (isPast) record.isNew = record.isSnapshotDue = true;
      else if (seq <= record.seq && !record.hasReset) {
        violated(seq === record.seq ? "seqRepeated" : "seqBack", `${record.symbol}: ${seq} after ${record.seq}`);
        return false;
      }
      return true;
    },
    take(record, values, _seq, start) {
      add(record, values, start);
      return true;
    },
  };
}
