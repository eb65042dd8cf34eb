/** The shard of each row of a publisher's table: worked out once a row, since a tick must not cost a checksum. */
import { copied } from "../../../base/enlarged_array.ts";
import type { Payload } from "../../../market/payload.ts";
import type { PublisherTable } from "../../../market/publisher_table.ts";
import type { RedisKeys } from "../shard.ts";

export class RowShards {
  readonly #table: PublisherTable<Payload>;
  readonly #keys: RedisKeys;
  /** The shard plus one; 0 where it has not been asked for. */
  #shards = new Uint16Array(1_024);

  constructor(table: PublisherTable<Payload>, keys: RedisKeys) {
    this.#table = table;
    this.#keys = keys;
  }

  /** The shard of a row in use. */
  of(row: number): number {
    if (row >= this.#shards.length) this.#shards = copied(new Uint16Array(row * 2), this.#shards);
    const known = this.#shards[row];
    if (known > 0) return known - 1;
    const shard = this.#keys.shardOf(this.#table.symbols[row]);
    this.#shards[row] = shard + 1;
    return shard;
  }

  /** The rows of a shard that have had a tick. */
  *rows(shard: number): Iterable<number> {
    const table = this.#table;
    for (let row = 0; row < table.rows; row++) if (table.hasTicked(row) && this.of(row) === shard) yield row;
  }
}
