/**
 * The price history of a symbol since the page first received it, in at most a fixed number of bars. When all are used,
 * every two bars are merged into one, and new bars are twice as long.
 */

/** Of each bar: its start (ms since the Unix epoch), and the first, highest, lowest and last price in it. */
const TIME = 0;
const OPEN = 1;
const HIGH = 2;
const LOW = 3;
const CLOSE = 4;
const WIDTH = 5;
/** The first capacity; it doubles as needed. */
const FIRST_BARS = 8;

/** One bar. `time`: its start, ms since the Unix epoch. */
export interface Bar {
  readonly time: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
}

export class History {
  readonly #capacity: number;
  #data = new Float64Array(FIRST_BARS * WIDTH);
  #count = 0;
  #step: number;
  /** Grows when bars are merged: what was drawn must then be drawn again. */
  #edition = 0;

  /**
   * @param capacity the most bars: even, 2 or more
   * @param step the length of a bar at first, ms
   */
  constructor(capacity: number, step: number) {
    this.#capacity = capacity;
    this.#step = step;
  }

  /** The number of bars. */
  get length(): number {
    return this.#count;
  }

  /** The length of a bar, ms. */
  get step(): number {
    return this.#step;
  }

  /** A number that changes when bars have been merged. */
  get edition(): number {
    return this.#edition;
  }

  /** Adds a price. One that is older than the last bar counts for the last bar. @param time ms since the Unix epoch */
  add(time: number, price: number): void {
    let start = time - (time % this.#step);
    const last = (this.#count - 1) * WIDTH;
    if (this.#count > 0 && start <= this.#data[last + TIME]) {
      const data = this.#data;
      if (price > data[last + HIGH]) data[last + HIGH] = price;
      if (price < data[last + LOW]) data[last + LOW] = price;
      data[last + CLOSE] = price;
      return;
    }
    if (this.#count === this.#capacity) {
      this.#halve();
      start = time - (time % this.#step);
      if (start <= this.#data[(this.#count - 1) * WIDTH + TIME]) return this.add(time, price);
    }
    this.#append(start, price, price, price, price);
  }

  bar(index: number): Bar {
    const at = index * WIDTH;
    const [time, open, high, low, close] = this.#data.subarray(at, at + WIDTH);
    return { time, open, high, low, close };
  }

  /** The start of a bar, ms since the Unix epoch. */
  timeAt(index: number): number {
    return this.#data[index * WIDTH + TIME];
  }

  closeAt(index: number): number {
    return this.#data[index * WIDTH + CLOSE];
  }

  /** Copies the bars of a coarser history. Only for an empty one. */
  continue(other: History): void {
    for (let index = 0; index < other.length && this.#count < this.#capacity; index++) {
      const { time, open, high, low, close } = other.bar(index);
      this.#append(time - (time % this.#step), open, high, low, close);
    }
  }

  #append(time: number, open: number, high: number, low: number, close: number): void {
    const at = this.#count * WIDTH;
    if (at === this.#data.length) {
      const larger = new Float64Array(Math.min(this.#data.length * 2, this.#capacity * WIDTH));
      larger.set(this.#data);
      this.#data = larger;
    }
    const data = this.#data;
    data[at + TIME] = time;
    data[at + OPEN] = open;
    data[at + HIGH] = high;
    data[at + LOW] = low;
    data[at + CLOSE] = close;
    this.#count++;
  }

  #halve(): void {
    const data = this.#data;
    this.#step *= 2;
    this.#edition++;
    let kept = 0;
    for (let index = 0; index < this.#count; index++) {
      const from = index * WIDTH;
      const start = data[from + TIME] - (data[from + TIME] % this.#step);
      const to = (kept - 1) * WIDTH;
      if (kept > 0 && data[to + TIME] === start) {
        data[to + HIGH] = Math.max(data[to + HIGH], data[from + HIGH]);
        data[to + LOW] = Math.min(data[to + LOW], data[from + LOW]);
        data[to + CLOSE] = data[from + CLOSE];
      } else {
        data.copyWithin(kept * WIDTH, from, from + WIDTH);
        data[kept * WIDTH + TIME] = start;
        kept++;
      }
    }
    this.#count = kept;
    // Bars with gaps between them may not merge at twice the length: then the length doubles again.
    if (kept > this.#capacity / 2) this.#halve();
  }
}
