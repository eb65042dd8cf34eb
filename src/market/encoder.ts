/**
 * Encoded ticks, shared: the bytes of a tick are the same for every client with the same fields, so they are written
 * once per change, when somebody first wants them, and copied for everyone else.
 */
import { createTarget, type Target } from "../protocol/msgpack.ts";
import type { TickFormat } from "./format.ts";
import type { MarketTable } from "./table.ts";

export class TickEncoder {
  readonly format: TickFormat;
  /** The positions of the fields in a whole tick, in the order in which they were granted. */
  readonly fields: Uint8Array;
  /** The largest tick, in bytes. */
  readonly maxTickBytes: number;
  readonly #table: MarketTable;
  readonly #cached: boolean;
  /** A slot of `maxTickBytes` a row. */
  #slots: Target = createTarget(0);
  #lengths: Uint16Array = new Uint16Array(0);
  /** The version that each slot holds; 0 for none. */
  #versions: Float64Array = new Float64Array(0);

  /** @param cached whether to keep what was encoded, at `maxTickBytes` a row; else each tick is encoded each time */
  constructor(table: MarketTable, format: TickFormat, fields: Uint8Array, cached: boolean) {
    this.#table = table;
    this.format = format;
    this.fields = fields;
    this.maxTickBytes = format.maxTickBytes(fields.length);
    this.#cached = cached;
  }

  /**
   * Writes the row's tick as it stands.
   * @returns the position behind it
   */
  write(row: number, target: Target, at: number): number {
    if (!this.#cached) return this.format.writeTick(target, at, this.#table, row, this.fields);
    if (row >= this.#lengths.length) this.#grow();
    const start = row * this.maxTickBytes;
    const version = this.#table.version[row];
    if (this.#versions[row] !== version) {
      this.#versions[row] = version;
      this.#lengths[row] = this.format.writeTick(this.#slots, start, this.#table, row, this.fields) - start;
    }
    const length = this.#lengths[row];
    this.#slots.bytes.copy(target.bytes, at, start, start + length);
    return at + length;
  }

  #grow(): void {
    const capacity = this.#table.seq.length;
    const slots = createTarget(capacity * this.maxTickBytes);
    this.#slots.bytes.copy(slots.bytes);
    this.#slots = slots;
    const lengths = new Uint16Array(capacity);
    lengths.set(this.#lengths);
    this.#lengths = lengths;
    const versions = new Float64Array(capacity);
    versions.set(this.#versions);
    this.#versions = versions;
  }
}

/**
 * The encoders in use, one for each format and field list. There are millions of field lists, and a client can name
 * any: only so many are cached, others are encoded for each client.
 */
export class EncoderPool {
  readonly #table: MarketTable;
  readonly #limit: number;
  readonly #encoders = new Map<string, { encoder: TickEncoder; uses: number }>();
  readonly #keys = new Map<TickEncoder, string>();

  constructor(table: MarketTable, limit: number) {
    this.#table = table;
    this.#limit = limit;
  }

  /** How many field lists are cached. */
  get size(): number {
    return this.#encoders.size;
  }

  /** An encoder for these fields, to be given back with {@link release}. */
  acquire(format: TickFormat, fields: Uint8Array): TickEncoder {
    const key = `${format.binary}:${fields}`;
    const shared = this.#encoders.get(key);
    if (shared) {
      shared.uses++;
      return shared.encoder;
    }
    const cached = this.#encoders.size < this.#limit;
    const encoder = new TickEncoder(this.#table, format, fields, cached);
    if (cached) {
      this.#encoders.set(key, { encoder, uses: 1 });
      this.#keys.set(encoder, key);
    }
    return encoder;
  }

  release(encoder: TickEncoder): void {
    const key = this.#keys.get(encoder);
    const shared = key === undefined ? undefined : this.#encoders.get(key);
    if (key === undefined || !shared || --shared.uses > 0) return;
    this.#encoders.delete(key);
    this.#keys.delete(encoder);
  }
}
