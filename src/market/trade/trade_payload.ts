/** Trades: the latest of each row, in a ring that grows with what comes. */
import { BusRecord } from "../bus_record.ts";
import type { Payload } from "../payload.ts";
import { type Trade, TradeRing } from "./trade_ring.ts";

/** One trade as the bus carries it. */
export class TradeRecord extends BusRecord implements Trade {
  price = 0;
  size = 0;
  side = 0;
  id: string | null = null;
}

/** How many trades are kept. */
export interface TradeLimits {
  /** Of one symbol. */
  readonly tradesPerSymbol: number;
  /** Of all: a ring whose growth would exceed it gives up its oldest trades instead. One takes about 100 bytes. */
  readonly maxTrades: number;
}

const NO_TRADES = new TradeRing();

export class TradePayload implements Payload<Trade, TradeRecord> {
  readonly keepsEach = true;
  readonly isSeries = true;
  readonly #limits: TradeLimits;
  readonly #rings: (TradeRing | undefined)[] = [];
  /** Trades that all rings have room for. */
  #room = 0;

  constructor(limits: TradeLimits) {
    this.#limits = limits;
  }

  grow(): void {}

  clear(row: number): void {
    // V8 keeps an array with a large gap as a hash table.
    while (this.#rings.length < row) this.#rings.push(undefined);
    this.#room -= this.#rings[row]?.capacity ?? 0;
    this.#rings[row] = undefined;
  }

  createRecord(): TradeRecord {
    return new TradeRecord();
  }

  /** The trades of a row. They must not be changed. */
  ringOf(row: number): TradeRing {
    return this.#rings[row] ?? NO_TRADES;
  }

  write(row: number, record: TradeRecord, now: number): void {
    const ring = this.ringOf(row);
    // Numbers that go back belong to another count: what is there is not continued.
    if (ring.count > 0 && record.seq <= ring.seq[ring.slotOf(ring.end - 1)]) ring.clear();
    this.#add(row, record.seq, record.eventTime, now, record);
  }

  read(row: number, record: TradeRecord, back: number): void {
    const ring = this.ringOf(row);
    if (ring.count === 0) return;
    const slot = ring.slotOf(ring.end - 1 - back);
    record.seq = ring.seq[slot];
    record.eventTime = ring.eventTime[slot];
    record.receivedAt = ring.appliedAt[slot];
    record.price = ring.price[slot];
    record.size = ring.size[slot];
    record.side = ring.side[slot];
    record.id = ring.ids[slot];
  }

  follow(row: number, record: TradeRecord): number {
    const ring = this.#rings[row];
    if (!ring) {
      this.#add(row, record.seq, record.eventTime, record.receivedAt, record);
      return 0;
    }
    const later = ring.follow(record.seq, record.eventTime, record.id);
    const isNewest = ring.eventTime[ring.slotOf(ring.end - 1)] === record.eventTime && this.equals(row, record);
    if (later === 0 && !isNewest) {
      // The predecessor has had trades that are not here: its newest is the newest.
      ring.clear();
      ring.add(record.seq, record.eventTime, record.receivedAt, record);
    }
    return later;
  }

  countSince(row: number, seq: number): number {
    const ring = this.ringOf(row);
    return Math.max(1, ring.end - ring.after(seq));
  }

  equals(row: number, { price, size, side, id }: TradeRecord): boolean {
    const ring = this.ringOf(row);
    if (ring.count === 0) return false;
    const slot = ring.slotOf(ring.end - 1);
    return ring.price[slot] === price && ring.size[slot] === size && ring.side[slot] === side && ring.ids[slot] === id;
  }

  merge(row: number, trade: Trade, seq: number, eventTime: number, receivedAt: number): void {
    this.#add(row, seq, eventTime, receivedAt, trade);
  }

  #add(row: number, seq: number, eventTime: number, appliedAt: number, trade: Trade): void {
    let ring = this.#rings[row];
    if (!ring) {
      ring = new TradeRing();
      this.#rings[row] = ring;
      this.#room += ring.capacity;
    }
    const { tradesPerSymbol, maxTrades } = this.#limits;
    const isFull = ring.count === ring.capacity;
    if (isFull && ring.capacity < tradesPerSymbol && this.#room + ring.capacity <= maxTrades) {
      this.#room += ring.capacity;
      ring.double();
    }
    ring.add(seq, eventTime, appliedAt, trade);
  }
}
