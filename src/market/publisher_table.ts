/** A market table of a publisher: merges what one feed reports, and numbers the ticks of each symbol. */
import { CLOSED, LIVE, STALE } from "../base/tick.ts";
import type { BusRecord } from "./bus_record.ts";
import type { Payload, SeriesTakeover } from "./payload.ts";
import { QuotePayload } from "./quote/quote_payload.ts";
import { MarketTable } from "./table.ts";

/** Why a symbol is stale that a publisher knows only from the store: its source may be cut, or not have it any more. */
export const NOT_HEARD = "nothing heard of it since the feed started";

/** What a source reports of a symbol in a table with this payload. */
export type ChangeOf<P> = P extends Payload<infer Change> ? Change : never;

/** Without another payload: of quotes. */
export class PublisherTable<P extends Payload = QuotePayload> extends MarketTable<P> {
  constructor(limit: number, payload = new QuotePayload() as Payload as P) {
    super(limit, payload);
  }

  /**
   * Merges what one message says into the symbol's row, and counts the tick.
   * @param eventTime microseconds since the Unix epoch
   * @param receivedAt when the tick was received, microseconds since the Unix epoch; NaN where not known
   */
  merge(row: number, change: ChangeOf<P>, eventTime: number, receivedAt = Number.NaN): void {
    const seq = this.seq[row] + 1;
    this.payload.merge(row, change, seq, eventTime, receivedAt);
    this.setTick(row, seq, eventTime);
    this.appliedAt[row] = receivedAt;
  }

  /**
   * Several ticks at once that tell nothing new of the source: a symbol of which nothing else is known is stale.
   * @param merge gets the row's number, and returns that of the last tick
   * @param now microseconds since the Unix epoch
   * @returns whether there were any
   */
  mergePast(row: number, merge: (seq: number) => number, now: number): boolean {
    const seq = merge(this.seq[row]);
    if (seq === this.seq[row]) return false;
    const isNew = !this.hasTicked(row);
    this.setTick(row, seq, isNew ? now : this.eventTime[row]);
    this.appliedAt[row] = Number.NaN;
    if (isNew) this.restate(row, STALE, now, NOT_HEARD);
    return true;
  }

  /**
   * Takes over a symbol from the last-value store, so that `seq` continues. A later tick of this publisher stays, as
   * the tick after the store's.
   * @returns whether the row differs from the store, so that it must be written
   */
  adopt(record: BusRecord): boolean {
    const row = this.add(record.symbol);
    if (row < 0) return false;
    const isNew = !this.hasTicked(row);
    if (this.payload.takeover) return this.#adoptInto(this.payload.takeover, row, record, isNew);
    if (this.payload.keepsEach) return this.#adoptEach(row, record, isNew);
    const isLater = !isNew && this.eventTime[row] >= record.eventTime && !this.equals(row, record);
    if (!isLater) {
      this.appliedAt[row] = record.receivedAt;
      this.payload.write(row, record, record.receivedAt);
    }
    this.setTick(row, isLater ? record.seq + 1 : record.seq, isLater ? this.eventTime[row] : record.eventTime);
    return this.#adoptState(row, record, isNew) || isLater;
  }

  #adoptEach(row: number, record: BusRecord, isNew: boolean): boolean {
    const later = this.payload.follow(row, record);
    if (later === 0) this.appliedAt[row] = record.receivedAt;
    this.setTick(row, record.seq + later, later > 0 ? this.eventTime[row] : record.eventTime);
    return this.#adoptState(row, record, isNew) || later > 0;
  }

  #adoptInto(takeover: SeriesTakeover, row: number, record: BusRecord, isNew: boolean): boolean {
    takeover.adopt(row, record);
    if (isNew) {
      this.appliedAt[row] = record.receivedAt;
      this.setTick(row, record.seq, record.eventTime);
      this.restate(row, record.state === CLOSED ? CLOSED : STALE, receiptTime(record), record.reason || NOT_HEARD);
    }
    return false;
  }

  /** A takeover begins: calls of {@link adopt} follow, then {@link finishTakeover}. */
  beginTakeover(): void {
    this.payload.takeover?.begin();
  }

  /** All has been adopted. @returns whether the row differs from the store, so that it must be written */
  finishTakeover(row: number): boolean {
    const { takeover } = this.payload;
    if (!takeover) return false;
    const { seq, differs } = takeover.finish(row, this.seq[row], this.state[row], this.reasons[row]);
    this.setTick(row, seq, this.eventTime[row]);
    return differs;
  }

  /** @returns whether the row's state differs from the record's */
  #adoptState(row: number, record: BusRecord, isNew: boolean): boolean {
    // A symbol is live only if this publisher receives it from its source, and it has not received this one yet.
    if (isNew && record.state === LIVE) this.restate(row, STALE, receiptTime(record), NOT_HEARD);
    else if (isNew) this.restate(row, record.state, record.since, record.reason);
    return this.state[row] !== record.state || this.reasons[row] !== record.reason;
  }

  /**
   * Fills the part of a record that the table knows: all but epoch, stream and whether it was healed.
   * @param back as in {@link Payload.read}
   */
  read(row: number, record: BusRecord, back = 0): void {
    record.symbol = this.symbols[row];
    record.seq = this.seq[row];
    record.eventTime = this.eventTime[row];
    record.receivedAt = this.appliedAt[row];
    record.state = this.state[row];
    record.since = this.since[row];
    record.reason = this.reasons[row];
    this.payload.read(row, record, back);
  }

  protected override growOwn(): void {
    // It has only the shared columns.
  }
}

function receiptTime({ receivedAt, eventTime }: BusRecord): number {
  return Number.isNaN(receivedAt) ? eventTime : receivedAt;
}
