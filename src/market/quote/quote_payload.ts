/** Quotes: `FIELD_COUNT` values per row. */
import { copied } from "../../base/enlarged_array.ts";
import { FIELD_COUNT, type TickPatch } from "../../base/tick.ts";
import { BusRecord } from "../bus_record.ts";
import type { Payload } from "../payload.ts";

/** Values, from an offset on. */
type Values = Pick<BusRecord, "values" | "offset">;

export class QuotePayload implements Payload<TickPatch> {
  readonly keepsEach = false;
  readonly isSeries = false;
  /** `FIELD_COUNT` values per row; NaN where not known. */
  values: Float64Array = new Float64Array(0);

  grow(capacity: number): void {
    this.values = copied(new Float64Array(capacity * FIELD_COUNT), this.values);
  }

  clear(row: number): void {
    this.values.fill(Number.NaN, row * FIELD_COUNT, (row + 1) * FIELD_COUNT);
  }

  createRecord(): BusRecord {
    return new BusRecord();
  }

  write(row: number, { values, offset }: Values): void {
    const base = row * FIELD_COUNT;
    for (let index = 0; index < FIELD_COUNT; index++) this.values[base + index] = values[offset + index];
  }

  read(row: number, record: BusRecord): void {
    record.values = this.values;
    record.offset = row * FIELD_COUNT;
  }

  follow(): number {
    return 0;
  }

  countSince(): number {
    return 1;
  }

  equals(row: number, { values, offset }: Values): boolean {
    const base = row * FIELD_COUNT;
    for (let index = 0; index < FIELD_COUNT; index++)
      if (!Object.is(this.values[base + index], values[offset + index])) return false;
    return true;
  }

  merge(row: number, patch: TickPatch): void {
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
  }
}

function put(values: Float64Array, index: number, value: number | null | undefined): void {
  if (value !== undefined) values[index] = value ?? Number.NaN;
}
