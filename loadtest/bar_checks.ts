/** The checks of the bars of one symbol and resolution, of the swarm and of k6. */

/** The broken promises, by the names under which they are reported. */
export const BAR_FAULTS = {
  barCount: "seq of a bar is no count",
  barBack: "seq of bars went back, or stayed",
  barNotWhole: "a bar that is not whole",
  barStart: "a bar that does not begin at a multiple of its resolution",
  barFlags: "a bar with flags that there are not",
  barTooMany: "more past bars than asked for",
  barPast: "other past bars than granted",
  barOrder: "past bars that are not oldest first",
  barAgain: "a closed bar again that was not corrected",
  barReopened: "a closed bar that forms again",
  barShrank: "a forming bar with fewer trades or less volume",
  barOpen: "a bar that still forms after a later one was closed",
} as const;
export type BarFault = keyof typeof BAR_FAULTS;

/** A bar: start, open, high, low, close, volume, trades, flags. */
export const BAR_VALUES = 8;
/** How many past bars are asked for. */
export const LAST_BARS = 10;
const CLOSED = 1;
const CORRECTED = 2;
const FLAGS = 7;
/** So many bars are remembered: of older ones hardly any is corrected. */
const KEPT = 32;

export class BarChecks {
  /** The last `seq`; 0 where none is known. */
  seq = 0;
  readonly #length: number;
  readonly #report: (fault: BarFault, detail: string) => void;
  /** The latest bars, by their start. */
  readonly #bars = new Map<number, Float64Array>();
  /** Past bars that are still to come, and the start of the last one. */
  #past = 0;
  #pastStart = Number.NEGATIVE_INFINITY;
  /** The same `seq` may come again after a gap, and any past bars after a reset. */
  #mayRepeat = false;
  #isReset = false;
  /** The latest start of a closed bar; and whether it is later than at the last {@link endBatch}. */
  #closed = Number.NEGATIVE_INFINITY;
  #hasClosed = false;

  /** @param length of a bar, microseconds */
  constructor(length: number, report: (fault: BarFault, detail: string) => void) {
    this.#length = length;
    this.#report = report;
  }

  /** Whether past bars are still to come. */
  get isAwaitingPast(): boolean {
    return this.#past > 0;
  }

  /** @param count past bars that come first */
  grant(count: number): void {
    if (!(count >= 0 && count <= LAST_BARS)) this.#report("barTooMany", `${count} of ${LAST_BARS}`);
    this.#past = count || 0;
    this.#pastStart = Number.NEGATIVE_INFINITY;
    this.#isReset = this.#mayRepeat = this.#hasClosed = false;
    this.seq = 0;
    this.#forgetForming();
  }

  /** A status `gap`. */
  gap(isReset: boolean): void {
    this.#mayRepeat = true;
    if (!isReset) return;
    this.#isReset = true;
    this.seq = this.#past = 0;
    this.#bars.clear();
    this.#hasClosed = false;
    this.#closed = Number.NEGATIVE_INFINITY;
  }

  /** Bars were left out without being read. */
  skip(): void {
    this.#past = 0;
    this.#forgetForming();
  }

  /** What was due at the same time has arrived: bars are closed in their order. */
  endBatch(): void {
    this.#mayRepeat = false;
    if (!this.#hasClosed) return;
    this.#hasClosed = false;
    for (const [start, bar] of this.#bars) {
      if (start >= this.#closed || (bar[BAR_VALUES - 1] & CLOSED) > 0) continue;
      this.#report("barOpen", `${start}, and ${this.#closed} is closed`);
      this.#bars.delete(start);
    }
  }

  /** @returns whether it is a past one */
  check(seq: number, values: ArrayLike<number>): boolean {
    const start = values[0];
    const isPast = this.#checkSeq(seq, start);
    this.#checkValues(values);
    const before = this.#bars.get(start);
    if (before) this.#compare(before, values, isPast);
    else if (this.#bars.size === KEPT) this.#bars.delete(Math.min(...this.#bars.keys()));
    const kept = before ?? new Float64Array(BAR_VALUES);
    kept.set(values);
    this.#bars.set(start, kept);
    if ((values[BAR_VALUES - 1] & CLOSED) > 0 && start > this.#closed) {
      this.#closed = start;
      this.#hasClosed = true;
    }
    return isPast;
  }

  /** The values of the latest bars, the oldest first. */
  latest(count: number): number[] {
    const starts = [...this.#bars.keys()].sort((a, b) => a - b).slice(-count);
    return starts.flatMap((start) => Array.from(this.#bars.get(start) ?? []));
  }

  /** Past bars have no number, but the newest. */
  #checkSeq(seq: number, start: number): boolean {
    const isPast = this.#past > 0 || (this.#isReset && seq === 0);
    if (this.#past > 0) {
      this.#past--;
      if (start <= this.#pastStart) this.#report("barOrder", `${start} after ${this.#pastStart}`);
      this.#pastStart = start;
      if (this.#past > 0 === (seq === 0)) return this.#noteSeq(seq, isPast);
      this.#report("barPast", `seq ${seq} with ${this.#past} to come`);
      if (seq > 0) this.#past = 0;
    } else if (seq === 0 && !isPast) this.#report("barPast", "more than granted");
    return this.#noteSeq(seq, isPast);
  }

  #noteSeq(seq: number, isPast: boolean): boolean {
    if (seq === 0) return isPast;
    this.#isReset = false;
    if (!(seq > 0 && Number.isInteger(seq))) this.#report("barCount", String(seq));
    else if (seq < this.seq || (seq === this.seq && !this.#mayRepeat)) this.#report("barBack", `${this.seq} to ${seq}`);
    this.seq = seq;
    return isPast;
  }

  /** What was forming may be closed when the next bars arrive. */
  #forgetForming(): void {
    for (const [start, bar] of this.#bars) if ((bar[BAR_VALUES - 1] & CLOSED) === 0) this.#bars.delete(start);
  }

  #checkValues(values: ArrayLike<number>): void {
    const [start, open, high, low, close, volume, trades, flags] = Array.from(values);
    const isWhole = values.length === BAR_VALUES && Array.from(values).every(Number.isFinite);
    const isSpan = low <= open && low <= close && open <= high && close <= high;
    if (!isWhole || !isSpan || !(volume > 0) || !(trades >= 1 && Number.isInteger(trades)))
      this.#report("barNotWhole", Array.from(values).join(" "));
    if (start % this.#length !== 0) this.#report("barStart", String(start));
    if (!(flags >= 0 && flags <= FLAGS && Number.isInteger(flags)) || (flags & (CLOSED | CORRECTED)) === CORRECTED)
      this.#report("barFlags", String(flags));
  }

  #compare(before: Float64Array, values: ArrayLike<number>, isPast: boolean): void {
    const [start, , , , , volume, trades, flags] = Array.from(values);
    const [, , , , , volumeBefore, tradesBefore, flagsBefore] = before;
    if ((flagsBefore & CLOSED) === 0) {
      if ((flags & CLOSED) === 0 && (volume < volumeBefore || trades < tradesBefore))
        this.#report("barShrank", `${start}: ${tradesBefore} of ${volumeBefore} to ${trades} of ${volume}`);
    } else if ((flags & CLOSED) === 0) this.#report("barReopened", String(start));
    else if (!isPast && !this.#mayRepeat && (flags & CORRECTED) === 0) this.#report("barAgain", String(start));
  }
}
