/** The market table of a publisher: merges the partial ticks of one feed, and numbers the ticks of each symbol. */
import { FIELD_COUNT, LIVE, STALE, type TickPatch } from "../base/tick.ts";
import type { BusRecord } from "./bus_record.ts";
import { MarketTable } from "./table.ts";

/** Why a symbol is stale that a publisher knows only from the store: its source may be cut, or not have it any more. */
export const NOT_HEARD = "nothing heard of it since the feed started";

export class PublisherTable extends MarketTable {
  /**
   * Merges the fields of one message into the symbol's values, and counts the tick.
   * @param eventTime microseconds since the Unix epoch
   * @param receivedAt when the tick was received, microseconds since the Unix epoch; NaN where not known
   */
  merge(row: number, patch: TickPatch, eventTime: number, receivedAt = Number.NaN): void {
    const base = row * FIELD_COUNT;
    const { values } = this;
    // In the order of FIELDS. To read the fields in a loop, by a name that varies, takes several times as long.
    put(values, base, patch.bid);
    put(values, base + 1, patch.bidSize);
    put(values, base + 2, patch.ask);
    put(values, base + 3, patch.askSize);
    put(values, base + 4, patch.last);
    put(values, base + 5, patch.lastSize);
    put(values, base + 6, patch.open);
    put(values, base + 7, patch.high);
    put(values, base + 8, patch.low);
    put(values, base + 9, patch.volume);
    this.setTick(row, this.seq[row] + 1, eventTime);
    this.appliedAt[row] = receivedAt;
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
    const isLater = !isNew && this.eventTime[row] >= record.eventTime && !this.equals(row, record);
    if (!isLater) {
      this.appliedAt[row] = record.receivedAt;
      const base = row * FIELD_COUNT;
      for (let index = 0; index < FIELD_COUNT; index++)
        this.values[base + index] = record.values[record.offset + index];
    }
    this.setTick(row, isLater ? record.seq + 1 : record.seq, isLater ? this.eventTime[row] : record.eventTime);
    // A symbol is live only if this publisher receives it from its source, and it has not received this one yet.
    if (isNew && record.state === LIVE) this.restate(row, STALE, receiptTime(record), NOT_HEARD);
    else if (isNew) this.restate(row, record.state, record.since, record.reason);
    return isLater || this.state[row] !== record.state || this.reasons[row] !== record.reason;
  }

  /** Fills the part of a record that the table knows: all but epoch, stream and whether it was healed. */
  read(row: number, record: BusRecord): void {
    record.symbol = this.symbols[row];
    record.seq = this.seq[row];
    record.eventTime = this.eventTime[row];
    record.receivedAt = this.appliedAt[row];
    record.state = this.state[row];
    record.since = this.since[row];
    record.reason = this.reasons[row];
    record.values = this.values;
    record.offset = row * FIELD_COUNT;
  }

  protected override growOwn(): void {
    // It has only the shared columns.
  }
}

function receiptTime({ receivedAt, eventTime }: BusRecord): number {
  return Number.isNaN(receivedAt) ? eventTime : receivedAt;
}

function put(values: Float64Array, index: number, value: number | null | undefined): void {
  if (value !== undefined) values[index] = value ?? Number.NaN;
}
