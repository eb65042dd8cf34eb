/**
 * Trades: each one once and in order, and the latest of each symbol as a tape.
 * @module tickgate/client/trades
 */
import type { TickRecord, TickValues } from "./records/tick_record.ts";
import type { View } from "./records/view.ts";
import type { ViewChannel } from "./sync/subscription.ts";

/** A trade. */
export interface Trade {
  readonly seq: number;
  /** When it happened according to the source, microseconds since the Unix epoch. */
  readonly eventTime: number;
  readonly price: number;
  readonly size: number;
  /** 1: the taker bought; -1: sold; 0: not known. */
  readonly side: number;
  /** The venue's. */
  readonly id: string | null;
}

/** The latest trades of one symbol. The same object lives through ticks and reconnects. */
export interface Tape extends View {
  /** The newest last. A new list for each call. */
  readonly trades: readonly Trade[];
  /** Trades that will never arrive, as far as their number is known. */
  readonly missed: number;
}

/** The options of trades. */
export interface TradeTerms {
  /** How many of the latest trades a tape holds, and come first: from 1 to 1,000; 100 when left out. */
  readonly last?: number | undefined;
}

/** The trades that a record keeps. */
interface Kept {
  readonly trades: Trade[];
  /** The first of them whose `seq` belongs to the present count. */
  start: number;
  /** All that have been added at the end. */
  added: number;
  /** Past ones of the grant that are still to come. */
  due: number;
  /** Whether no new trade has come on this connection: until then, those of an earlier one may come again. */
  isBehind: boolean;
}

const DEFAULT_LAST = 100;
const MOST_TRADES = 1_000;

function lastOf({ last = DEFAULT_LAST }: TradeTerms): number {
  if (!(Number.isInteger(last) && last >= 1 && last <= MOST_TRADES))
    throw new RangeError(`last is from 1 to ${MOST_TRADES}, not ${last}`);
  return last;
}

function keptOf({ content }: TickRecord): Kept {
  return content as Kept;
}

/** What the longest tape of a record needs. */
function mostOf({ views }: TickRecord): number {
  let most = 1;
  for (const { listener } of views) most = Math.max(most, lastOf(listener.terms));
  return most;
}

function tradeOf([price, size, side, id]: TickValues, seq: number, eventTime: number): Trade {
  return { seq, eventTime, price, size, side, id } as Trade;
}

/** Whether a record has had a trade already, whose `seq` is not above the latest. */
function isKnown(record: TickRecord, trade: Trade): boolean {
  const { trades, start, isBehind } = keptOf(record);
  const held = trades.find(({ seq }, index) => index >= start && seq === trade.seq);
  // One that is not kept any more, unless it came later: then the count of `seq` began again meanwhile.
  if (!held) return !isBehind || trade.eventTime <= record.eventTime;
  return (["eventTime", "price", "size", "id"] as const).every((name) => held[name] === trade[name]);
}

/** Adds an older trade of a longer history, if there is room. */
function addOlder(record: TickRecord, trade: Trade): void {
  const { trades, start } = keptOf(record);
  const at = trades.findIndex(({ seq }) => seq >= trade.seq);
  if (start === 0 && trades.length < mostOf(record) && trades[at]?.seq !== trade.seq) trades.splice(at, 0, trade);
}

/**
 * The channel of trades, for the option `channel`. The callback is called with each trade, in order; without one when
 * only the state has changed.
 */
export const TRADES: ViewChannel<Tape, TradeTerms, [tape: Tape, trade: Trade | undefined]> = {
  name: "trade",
  commandKeys: { channel: "trade" },
  demand: lastOf,
  merge: Math.max,
  terms: (last) => ({ last }),
  content: (): Kept => ({ trades: [], start: 0, added: 0, due: 0, isBehind: false }),
  view: (Base) =>
    class extends Base {
      /** How many of the trades the callback was called with, of all that were added. */
      called: number;

      constructor(...args: ConstructorParameters<typeof Base>) {
        super(...args);
        const { added, trades } = keptOf(this.record);
        this.called = added - Math.min(lastOf(this.listener.terms), trades.length);
      }

      get trades() {
        return keptOf(this.record).trades.slice(-lastOf(this.listener.terms));
      }

      get missed() {
        return this.lost;
      }

      /** What the callback is called with besides the tape, one call each. */
      override *news(): Iterable<Trade | undefined> {
        const kept = keptOf(this.record);
        if (this.called === kept.added) yield undefined;
        while (this.called < kept.added) yield kept.trades.at(this.called++ - kept.added);
      }
    },
  granted(record, _message, count) {
    const kept = keptOf(record);
    kept.due = count;
    kept.isBehind ||= record.isNew;
  },
  fits(_record, values) {
    if (values.length < 4) return false;
    const [price, size, side, id] = values;
    const isTrade = Number.isFinite(price) && Number.isFinite(size) && [-1, 0, 1].includes(side as number);
    if (!isTrade || (id !== null && typeof id !== "string")) throw new TypeError("not a trade");
    return true;
  },
  judge(record, values, seq, eventTime, violated, store) {
    const kept = keptOf(record);
    const { isBehind } = kept;
    const isPast = kept.due > 0;
    if (isPast) kept.due--;
    record.isSnapshotDue ||= isPast;
    const detail = `${record.symbol}: ${seq} after ${record.seq}`;
    if (record.seq > 0 && seq <= record.seq && !record.hasReset) {
      const trade = tradeOf(values, seq, eventTime);
      if (!isBehind && !isPast) {
        violated(seq === record.seq ? "seqRepeated" : "seqBack", detail);
        return false;
      }
      if (isKnown(record, trade)) {
        if (isPast) addOlder(record, trade);
        return false;
      }
      store.gap(record, "reset");
    } else if (record.seq > 0 && seq > record.seq + 1 && !record.hasGap) {
      if (isBehind || isPast) store.gap(record, "missed");
      else violated("seqSkipped", detail);
    }
    kept.isBehind = false;
    // What is missing since the connection before counts as missed.
    if (record.seq > 0) record.isNew = false;
    return true;
  },
  take(record, values, seq, eventTime) {
    const kept = keptOf(record);
    if (record.hasReset) kept.start = kept.trades.length;
    kept.trades.push(tradeOf(values, seq, eventTime));
    kept.added++;
    const most = mostOf(record);
    while (kept.trades.length > most) {
      kept.trades.shift();
      kept.start = Math.max(0, kept.start - 1);
    }
    return true;
  },
};
