/**
 * The encoder's reference: a codec packs the ticks of each client. A changed tick becomes an array once for all
 * clients, so that only the codec's work is repeated.
 */
import { Packr } from "msgpackr";
import { FIELD_COUNT } from "../../src/base/tick.ts";
import type { QuotePayload } from "../../src/market/quote/quote_payload.ts";
import type { MarketTable } from "../../src/market/table.ts";

export class CodecClients {
  readonly #table: MarketTable<QuotePayload>;
  readonly #packr = new Packr({ useRecords: false });
  readonly #clients: { rows: Int32Array; sentSeqs: Float64Array }[] = [];
  /** The tick of each row as an array, and its version. */
  readonly #arrays: (number | null)[][] = [];
  readonly #versions: Float64Array;
  ticks = 0;
  bytes = 0;

  constructor(table: MarketTable<QuotePayload>) {
    this.#table = table;
    this.#versions = new Float64Array(table.rows);
  }

  connect(rows: readonly number[]): void {
    const sentSeqs = Float64Array.from(rows, (row) => this.#table.seq[row]);
    this.#clients.push({ rows: Int32Array.from(rows), sentSeqs });
  }

  /** Packs all ticks that have changed for the client. */
  flush(client: number, sentAt: number): void {
    const { rows, sentSeqs } = this.#clients[client];
    const { seq } = this.#table;
    const message: (number | (number | null)[])[] = [sentAt];
    for (let index = 0; index < rows.length; index++) {
      const row = rows[index];
      if (seq[row] === sentSeqs[index]) continue;
      sentSeqs[index] = seq[row];
      message.push(this.#array(row));
    }
    if (message.length === 1) return;
    this.ticks += message.length - 1;
    this.bytes += this.#packr.pack(message).length;
  }

  #array(row: number): (number | null)[] {
    const table = this.#table;
    if (this.#versions[row] !== table.version[row]) {
      const values = Array.from(table.payload.values.subarray(row * FIELD_COUNT, (row + 1) * FIELD_COUNT), (value) =>
        Number.isNaN(value) ? null : value,
      );
      this.#versions[row] = table.version[row];
      this.#arrays[row] = [row, table.seq[row], table.eventTime[row], ...values];
    }
    return this.#arrays[row];
  }
}
