/**
 * What the encoder is compared with: clients for each of which a codec packs its ticks. Kindly done: a tick is made
 * into an array once per change for all of them, so that the codec's work is all that is repeated.
 */
import { Packr } from "msgpackr";
import { FIELD_COUNT } from "../../src/base/tick.ts";
import type { MarketTable } from "../../src/market/table.ts";

export class CodecClients {
  readonly #table: MarketTable;
  readonly #packr = new Packr({ useRecords: false });
  readonly #clients: { rows: Int32Array; told: Float64Array }[] = [];
  /** The tick of each row as an array, and the version that it is of. */
  readonly #arrays: (number | null)[][] = [];
  readonly #versions: Float64Array;
  ticks = 0;
  bytes = 0;

  constructor(table: MarketTable) {
    this.#table = table;
    this.#versions = new Float64Array(table.rows);
  }

  connect(rows: readonly number[]): void {
    const told = Float64Array.from(rows, (row) => this.#table.seq[row]);
    this.#clients.push({ rows: Int32Array.from(rows), told });
  }

  /** Packs for the client whatever has changed for it. */
  flush(client: number, sentAt: number): void {
    const { rows, told } = this.#clients[client];
    const { seq } = this.#table;
    const message: (number | (number | null)[])[] = [sentAt];
    for (let index = 0; index < rows.length; index++) {
      const row = rows[index];
      if (seq[row] === told[index]) continue;
      told[index] = seq[row];
      message.push(this.#array(row));
    }
    if (message.length === 1) return;
    this.ticks += message.length - 1;
    this.bytes += this.#packr.pack(message).length;
  }

  #array(row: number): (number | null)[] {
    const table = this.#table;
    if (this.#versions[row] !== table.version[row]) {
      const values = Array.from(table.values.subarray(row * FIELD_COUNT, (row + 1) * FIELD_COUNT), (value) =>
        Number.isNaN(value) ? null : value,
      );
      this.#versions[row] = table.version[row];
      this.#arrays[row] = [row, table.seq[row], table.eventTime[row], ...values];
    }
    return this.#arrays[row];
  }
}
