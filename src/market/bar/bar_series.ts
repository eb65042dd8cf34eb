/** The bars of one symbol and resolution, ordered by their start: the newest ones, up to a limit. */
import type { Bar, BarRecord } from "./bar_record.ts";

/** The flags of a bar. */
export const CLOSED_BAR = 1;
/** It has changed after it was closed. */
export const CORRECTED_BAR = 2;
/** The feed was not connected throughout. */
export const PARTIAL_BAR = 4;

const FIRST_CAPACITY = 16;
/** Bars at the end that are looked at for changes; a change of an older one is rare, and has them all looked at. */
const RECENT = 4;

const COLUMNS = [
  "start",
  "open",
  "high",
  "low",
  "close",
  "volume",
  "trades",
  "seq",
  "firstSeq",
  "openAt",
  "closeAt",
] as const;

export class BarSeries {
  /** When it begins, microseconds since the Unix epoch. */
  start = new Float64Array(FIRST_CAPACITY);
  open = new Float64Array(FIRST_CAPACITY);
  high = new Float64Array(FIRST_CAPACITY);
  low = new Float64Array(FIRST_CAPACITY);
  close = new Float64Array(FIRST_CAPACITY);
  volume = new Float64Array(FIRST_CAPACITY);
  /** How many trades it is made of. */
  trades = new Float64Array(FIRST_CAPACITY);
  /** The number of the tick with which it last changed; 0 where that is of another count. */
  seq = new Float64Array(FIRST_CAPACITY);
  /** The number of the tick with which it began; 0 as of {@link seq}. */
  firstSeq = new Float64Array(FIRST_CAPACITY);
  /** When the trades of its open (where it is built here) and close were, microseconds since the Unix epoch. */
  openAt = new Float64Array(FIRST_CAPACITY);
  closeAt = new Float64Array(FIRST_CAPACITY);
  flags = new Uint8Array(FIRST_CAPACITY);
  /** The bars are from the index {@link from} to {@link end}. */
  from = 0;
  end = 0;
  /** The index of the bar that changed last; -1 where there is none. */
  newest = -1;
  /** The start of the oldest bar that is not closed; infinite where there is none. */
  formingFrom = Number.POSITIVE_INFINITY;
  /** The start of the last bar that was dropped. */
  droppedTo = Number.NEGATIVE_INFINITY;
  /** Starts of the bars that were dropped, since they were taken out. */
  dropped: number[] = [];
  /** The number of the last change of a bar that is older than the {@link RECENT} last ones. */
  #correctedSeq = 0;

  get count(): number {
    return this.end - this.from;
  }

  get capacity(): number {
    return this.start.length;
  }

  /** The index of the bar with this start, or where it belongs as a negative number: `-1 - index`. */
  find(start: number): number {
    let [low, high] = [this.from, this.end];
    // Nearly always it is the last one, or one after it.
    if (high > low && this.start[high - 1] < start) return -1 - high;
    if (high > low && this.start[high - 1] === start) return high - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.start[middle] < start) low = middle + 1;
      else high = middle;
    }
    return low < this.end && this.start[low] === start ? low : -1 - low;
  }

  /**
   * Makes room for bars before the one at an index, or behind the last one. There must be capacity.
   * @returns the index of the first
   */
  insert(index: number, count = 1): number {
    for (const column of COLUMNS) this[column].copyWithin(index + count, index, this.end);
    this.flags.copyWithin(index + count, index, this.end);
    this.end += count;
    if (this.newest >= index) this.newest += count;
    for (const column of COLUMNS) this[column].fill(0, index, index + count);
    this.flags.fill(0, index, index + count);
    return index;
  }

  /** The bar at an index has changed. */
  touch(index: number, seq: number): void {
    const start = this.start[index];
    if ((this.flags[index] & CLOSED_BAR) === 0) this.formingFrom = Math.min(this.formingFrom, start);
    else if (start === this.formingFrom) this.formingFrom = this.#nextForming(index);
    this.seq[index] = seq;
    this.newest = index;
    if (index < this.end - RECENT) this.#correctedSeq = Math.max(this.#correctedSeq, seq);
  }

  set(index: number, { start, open, high, low, close, volume, trades }: Bar, flags: number): void {
    this.start[index] = start;
    this.open[index] = open;
    this.high[index] = high;
    this.low[index] = low;
    this.close[index] = close;
    this.volume[index] = volume;
    this.trades[index] = trades;
    this.flags[index] = flags;
  }

  /** Whether a bar says the same. */
  equals(index: number, { open, high, low, close, volume, trades, flags }: BarRecord): boolean {
    return (
      this.open[index] === open &&
      this.high[index] === high &&
      this.low[index] === low &&
      this.close[index] === close &&
      this.volume[index] === volume &&
      this.trades[index] === trades &&
      this.flags[index] === flags
    );
  }

  /**
   * Drops the oldest bar.
   * @param mostNoted how many starts {@link dropped} may have: the store has no more bars than are kept, and the oldest
   *     come first
   */
  dropOldest(mostNoted: number): void {
    this.droppedTo = this.start[this.from];
    if (this.dropped.length < mostNoted) this.dropped.push(this.start[this.from]);
    if (this.start[this.from] === this.formingFrom) this.formingFrom = this.#nextForming(this.from);
    this.from++;
    if (this.newest < this.from) this.findNewest();
  }

  /**
   * Doubles the capacity, or moves the bars to the beginning where a quarter is free there.
   * @returns by how much their indices are smaller now
   */
  makeRoom(): number {
    if (this.from * 4 >= this.capacity) {
      const shift = this.from;
      for (const column of COLUMNS) this[column].copyWithin(0, shift, this.end);
      this.flags.copyWithin(0, shift, this.end);
      this.end -= shift;
      this.newest -= shift;
      this.from = 0;
      return shift;
    }
    const capacity = this.capacity * 2;
    for (const column of COLUMNS) {
      const longer = new Float64Array(capacity);
      longer.set(this[column]);
      this[column] = longer;
    }
    const flags = new Uint8Array(capacity);
    flags.set(this.flags);
    this.flags = flags;
    return 0;
  }

  /** A bar was added with a number of before {@link newest}: newer ones may be farther from the end than they were. */
  mix(): void {
    this.#correctedSeq = Math.max(this.#correctedSeq, this.seq[this.newest]);
  }

  /** Another count of numbers begins: those of before are not compared with its. */
  restart(): void {
    this.seq.fill(0);
    this.firstSeq.fill(0);
    this.#correctedSeq = 0;
  }

  /** Sets {@link newest} to the bar with the largest number. */
  findNewest(): void {
    this.newest = -1;
    for (let index = this.from; index < this.end; index++)
      if (this.newest < 0 || this.seq[index] >= this.seq[this.newest]) this.newest = index;
  }

  #nextForming(after: number): number {
    for (let index = after + 1; index < this.end; index++)
      if ((this.flags[index] & CLOSED_BAR) === 0) return this.start[index];
    return Number.POSITIVE_INFINITY;
  }

  /** The indices of the bars that have changed after a number, in the order of their changes. */
  changedSince(seq: number, into: number[]): void {
    into.length = 0;
    const isRecent = this.#correctedSeq <= seq;
    let unchanged = 0;
    for (let index = this.end - 1; index >= this.from; index--) {
      if (this.seq[index] > seq) into.push(index);
      else if (isRecent && ++unchanged === RECENT) break;
    }
    into.reverse();
    // Nearly always they are in this order already. Past bars from a venue come in long runs, the newest first.
    for (let at = 1; at < into.length; at++)
      if (this.seq[into[at - 1]] > this.seq[into[at]]) {
        into.sort((a, b) => this.seq[a] - this.seq[b]);
        break;
      }
  }
}
