/** Passes on what the bus delivers of bars of one minute: to their table, then to the longer bars made of them. */
import type { BusListener } from "../../bus/bus.ts";
import type { BarPayload } from "../../market/bar/bar_payload.ts";
import type { BarRecord } from "../../market/bar/bar_record.ts";
import type { BusRecord } from "../../market/bus_record.ts";
import type { GatewayTable } from "../../market/gateway_table.ts";

/** Longer bars that are made of those of one minute. */
export interface MinuteBarObserver {
  /** A row of the table may have changed. @param isKnown whether it had the bar as it is now */
  changed(row: number, record: BarRecord, isKnown: boolean): void;
  batchEnd(): void;
  silent(stream: number, sinceMicros: number): void;
  speaking(stream: number): void;
}

export class MinuteBars implements BusListener {
  readonly #table: BusListener;
  readonly #minutes: GatewayTable<BarPayload>;
  readonly #observers: MinuteBarObserver[] = [];

  /** @param table applies the records to the table @param minutes that table */
  constructor(table: BusListener, minutes: GatewayTable<BarPayload>) {
    this.#table = table;
    this.#minutes = minutes;
  }

  observe(observer: MinuteBarObserver): void {
    this.#observers.push(observer);
  }

  record(record: BusRecord): number {
    const before = this.#minutes.rowOf(record.symbol);
    const isKnown = before >= 0 && this.#minutes.payload.equals(before, record as BarRecord);
    const row = this.#table.record(record);
    if (row >= 0) for (const observer of this.#observers) observer.changed(row, record as BarRecord, isKnown);
    return row;
  }

  batchEnd(): void {
    this.#table.batchEnd();
    for (const observer of this.#observers) observer.batchEnd();
  }

  silent(stream: number, sinceMicros: number): void {
    this.#table.silent(stream, sinceMicros);
    for (const observer of this.#observers) observer.silent(stream, sinceMicros);
  }

  speaking(stream: number): void {
    this.#table.speaking(stream);
    for (const observer of this.#observers) observer.speaking(stream);
  }
}
