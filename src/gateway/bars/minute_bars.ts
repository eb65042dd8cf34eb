/** Passes on what the bus delivers of bars of one minute: to their table, then to the longer bars made of them. */
import type { BusListener } from "../../bus/bus.ts";
import type { BarRecord } from "../../market/bar/bar_record.ts";
import type { BusRecord } from "../../market/bus_record.ts";

/** Longer bars that are made of those of one minute. */
export interface MinuteBarObserver {
  /** A row of the table may have changed. */
  changed(row: number, record: BarRecord): void;
  batchEnd(): void;
  silent(stream: number, sinceMicros: number): void;
  speaking(stream: number): void;
}

export class MinuteBars implements BusListener {
  readonly #table: BusListener;
  readonly #observers: MinuteBarObserver[] = [];

  /** @param table applies the records to the table */
  constructor(table: BusListener) {
    this.#table = table;
  }

  observe(observer: MinuteBarObserver): void {
    this.#observers.push(observer);
  }

  record(record: BusRecord): number {
    const row = this.#table.record(record);
    if (row >= 0) for (const observer of this.#observers) observer.changed(row, record as BarRecord);
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
