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
  /** The most that are kept: what the longest tape needs. */
  most: number;
  /** All that have been added. */
  added: number;
  /** Past ones of the grant that are still to come. */
  due: number;
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

function tradeOf([price, size, side, id]: TickValues, seq: number, eventTime: number): Trade {
  return { seq, eventTime, price, size, side, id } as Trade;
}

function isSame(one: Trade, other: Trade): boolean {
  return (
    one.eventTime === other.eventTime && one.price === other.price && one.size === other.size && one.id === other.id
  );
}

/** Whether a record has a trade already. An older one of a longer history is added, if there is room. */
function has(record: TickRecord, kept: Kept, trade: Trade, isPast: boolean): boolean {
  const { trades, start } = kept;
  const held = trades.find(({ seq }, index) => index >= start && seq === trade.seq);
  if (held) return isSame(held, trade);
  if (!isPast) return false;
  // A count of seq that began again while there was no connection began with later trades.
  if (record.isNew && trade.eventTime > record.eventTime) return false;
  if (trades.length < kept.most && start === 0)
    trades.splice(
      trades.findIndex(({ seq }) => seq > trade.seq),
      0,
      trade,
    );
  return true;
}

/** The channel of trades, for the option `channel`. A callback without a trade tells of a new state. */
export const TRADES: ViewChannel<Tape, TradeTerms, [tape: Tape, trade: Trade | undefined]> = {
  name: "trade",
  demand: lastOf,
  merge: Math.max,
  terms: (last) => ({ last }),
  content: (): Kept => ({ trades: [], start: 0, most: 1, added: 0, due: 0 }),
  view: (Base) =>
    class extends Base {
      /** How many of the trades the callback was called with, of all that were added. */
      called: number;

      constructor(...args: ConstructorParameters<typeof Base>) {
        super(...args);
        const kept = keptOf(this.record);
        const last = lastOf(this.listener.terms);
        kept.most = Math.max(kept.most, last);
        this.called = kept.added - Math.min(last, kept.trades.length);
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
    keptOf(record).due = count;
  },
  fits(_record, values) {
    if (values.length < 4) return false;
    const [price, size, side, id] = values;
    const isTrade = Number.isFinite(price) && Number.isFinite(size) && [-1, 0, 1].includes(side as number);
    if (!isTrade || (id !== null && typeof id !== "string")) throw new TypeError("not a trade");
    return true;
  },
  judge(record, values, seq, eventTime, violated) {
    const kept = keptOf(record);
    const isPast = kept.due > 0;
    if (isPast) kept.due--;
    record.isSnapshotDue ||= isPast;
    if (record.seq === 0 || record.hasReset) return "";
    // From here on it is compared with the trades before, which may be those of an earlier connection.
    const { isNew, symbol } = record;
    const detail = `${symbol}: ${seq} after ${record.seq}`;
    if (seq > record.seq) {
      record.isNew = false;
      if (seq === record.seq + 1 || record.hasGap) return "";
      if (isNew || isPast) return "missed";
      violated("seqSkipped", detail);
      return "";
    }
    if ((isNew || isPast) && has(record, kept, tradeOf(values, seq, eventTime), isPast)) return null;
    if (isNew) return "reset";
    violated(seq === record.seq ? "seqRepeated" : "seqBack", detail);
    return null;
  },
  take(record, values, seq, eventTime) {
    const kept = keptOf(record);
    if (record.hasReset) kept.start = kept.trades.length;
    kept.trades.push(tradeOf(values, seq, eventTime));
    kept.added++;
    if (kept.trades.length > kept.most) {
      kept.trades.shift();
      kept.start = Math.max(0, kept.start - 1);
    }
    return true;
  },
};
