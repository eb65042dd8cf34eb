/** The latest trades of one symbol, oldest first: each is kept once, for all clients. */

/** A trade as its venue reports it. */
export interface Trade {
  readonly price: number;
  readonly size: number;
  /** 1 where the taker bought, -1 where it sold, 0 where that is not known. */
  readonly side: number;
  /** The venue's; null where it has none. Of at most {@link MAX_ID_CHARACTERS} printable ASCII characters. */
  readonly id: string | null;
}

/** The longest id: a UUID. */
export const MAX_ID_CHARACTERS = 36;

const FIRST_CAPACITY = 16;
/** Six doubles, a hash and the side. */
const TRADE_BYTES = 53;

/** Counts all trades of all rings. */
let stamps = 0;

export class TradeRing {
  seq!: Float64Array;
  eventTime!: Float64Array;
  /** When it came into the table, or was received by the publisher, microseconds since the Unix epoch. */
  appliedAt!: Float64Array;
  price!: Float64Array;
  size!: Float64Array;
  side!: Int8Array;
  ids: (string | null)[] = [];
  /** Of the ids: to look for one of a thousand in here takes half a microsecond, and among the ids ten times that. */
  #hashes!: Int32Array;
  /** Differs for all trades, whatever their numbers: encoded bytes are compared with it. */
  stamp!: Float64Array;
  /** Trades so far: a position counts from the first one. The last {@link count} are kept. */
  end = 0;
  count = 0;
  /** The number of the first trade since it was empty. */
  first = 0;
  /** How many of the last have numbers without a gap. */
  run = 0;
  #largestId = Number.NEGATIVE_INFINITY;

  constructor() {
    this.#allocate(FIRST_CAPACITY);
  }

  get capacity(): number {
    return this.seq.length;
  }

  /** The first position that is kept. */
  get start(): number {
    return this.end - this.count;
  }

  /** Where the trade of a position is in the arrays. */
  slotOf(position: number): number {
    return position % this.capacity;
  }

  /** The first position whose number is larger; {@link end} where there is none. */
  after(seq: number): number {
    let [low, high] = [this.start, this.end];
    // Without a gap it is where the difference says.
    if (this.count > 0) low = Math.max(low, Math.min(high, high - (this.seq[this.slotOf(high - 1)] - seq)));
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.seq[this.slotOf(middle)] > seq) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Adds a trade. A full ring gives up its oldest. */
  add(seq: number, eventTime: number, appliedAt: number, { price, size, side, id }: Trade): void {
    const isNext = this.count > 0 && seq === this.seq[this.slotOf(this.end - 1)] + 1;
    if (this.count === 0) this.first = seq;
    const slot = this.slotOf(this.end++);
    this.seq[slot] = seq;
    this.eventTime[slot] = eventTime;
    this.appliedAt[slot] = appliedAt;
    this.price[slot] = price;
    this.size[slot] = size;
    this.side[slot] = side;
    this.ids[slot] = id;
    this.#hashes[slot] = id === null ? 0 : hashOf(id);
    this.stamp[slot] = ++stamps;
    const number = Number(id ?? Number.NaN);
    if (number > this.#largestId) this.#largestId = number;
    this.count = Math.min(this.count + 1, this.capacity);
    this.run = isNext ? Math.min(this.run + 1, this.count) : 1;
  }

  /** Whether one of the last trades has this id. Where ids count, as most venues' do, a larger one is new. */
  has(id: string): boolean {
    if (Number(id) > this.#largestId) return false;
    const hash = hashOf(id);
    for (let slot = this.#hashes.indexOf(hash); slot >= 0; slot = this.#hashes.indexOf(hash, slot + 1))
      if (this.ids[slot] === id && this.#isKept(slot)) return true;
    return false;
  }

  #isKept(slot: number): boolean {
    const { capacity } = this;
    return (this.end - 1 - slot + capacity) % capacity < this.count;
  }

  /**
   * Numbers the trades so that they continue those of another publisher, which has had the one with this id, or where
   * that is not here, all up to this time.
   * @returns how many are later; the others are removed, but for the last of them
   */
  follow(seq: number, eventTime: number, id: string | null): number {
    let later = 0;
    for (let position = this.end - 1; position >= this.start; position--, later++) {
      const slot = this.slotOf(position);
      if (id !== null && this.ids[slot] === id) break;
      if (this.eventTime[slot] < eventTime || (id === null && this.eventTime[slot] === eventTime)) break;
    }
    this.count = this.run = Math.min(this.count, later + 1);
    for (let position = this.start; position < this.end; position++)
      this.seq[this.slotOf(position)] = seq + later - (this.end - 1 - position);
    return later;
  }

  clear(): void {
    this.count = this.run = 0;
  }

  /** Makes room for twice as many. */
  double(): void {
    const { seq, eventTime, appliedAt, price, size, side, stamp, ids, capacity: before } = this;
    const hashes = this.#hashes;
    const capacity = before * 2;
    this.#allocate(capacity);
    this.ids = new Array(capacity).fill(null);
    for (let position = this.start; position < this.end; position++) {
      const [from, to] = [position % before, position % capacity];
      this.seq[to] = seq[from];
      this.eventTime[to] = eventTime[from];
      this.appliedAt[to] = appliedAt[from];
      this.price[to] = price[from];
      this.size[to] = size[from];
      this.side[to] = side[from];
      this.stamp[to] = stamp[from];
      this.ids[to] = ids[from];
      this.#hashes[to] = hashes[from];
    }
  }

  /** In one buffer: with seven, a symbol's first 16 trades would take 3.6 KB instead of 2. */
  #allocate(capacity: number): void {
    const buffer = new ArrayBuffer(capacity * TRADE_BYTES);
    const column = (index: number) => new Float64Array(buffer, index * capacity * 8, capacity);
    this.seq = column(0);
    this.eventTime = column(1);
    this.appliedAt = column(2);
    this.price = column(3);
    this.size = column(4);
    this.stamp = column(5);
    this.#hashes = new Int32Array(buffer, capacity * 48, capacity);
    this.side = new Int8Array(buffer, capacity * 52, capacity);
  }
}

/** FNV-1a. */
function hashOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < id.length; index++) hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193);
  return hash | 0;
}
