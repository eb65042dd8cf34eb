/**
 * How a new leader takes a feed over, shard by shard: its epoch shuts its predecessor out, and then what that one has
 * written is read, to which nothing can be added any more.
 */

import type { BusRecord } from "../../../market/bus_record.ts";
import type { Payload } from "../../../market/payload.ts";
import type { PublisherTable } from "../../../market/publisher_table.ts";
import { WireError } from "../../wire/unpack.ts";
import { type BatchDecoder, isMarkField, parseMark } from "../../wire/wire.ts";
import type { RedisLink } from "../connection/link.ts";
import { scanValues } from "../hash_scan.ts";
import { FENCE } from "../script.ts";
import type { RedisKeys } from "../shard.ts";

/** How many shards are taken over at once: it takes a round trip for each slice of one. */
const AT_ONCE = 8;
const TIMEOUT = 5_000;

/** What is told on the way. */
export interface TakeoverEvents {
  /** The shard is fenced; its last batch of this epoch had this number. */
  fenced(shard: number, number: number): void;
  /** The store has the row's symbol up to this number. */
  adopted(row: number, seq: number): void;
  /** The store must be told how this row stands. */
  differs(row: number): void;
}

/** What a takeover came to. */
export interface Takeover {
  /** More than the epoch when a later one was met: nothing is ours then, and this one is needed. */
  readonly floor: number;
  /** The rows that the store had. */
  readonly known: ReadonlySet<number>;
}

/** Fences all shards and fills the table from them. Throws when Redis does not answer. */
export async function takeOver(
  { feed, keys, link }: { feed: string; keys: RedisKeys; link: RedisLink },
  table: PublisherTable<Payload>,
  epoch: number,
  decoder: BatchDecoder,
  events: TakeoverEvents,
): Promise<Takeover> {
  const record = decoder.createRecord();
  table.beginTakeover();
  const known = new Set<number>();
  let floor = epoch;
  const one = async (shard: number): Promise<void> => {
    const hash = keys.hash(shard);
    const answer = (await FENCE.run(link, [hash], [feed, epoch], TIMEOUT)) as [number, Buffer];
    const mark = parseMark(answer[1]);
    if (!mark) throw new Error(`${hash} has a mark of ${feed} that is none: see "Epochs and the lease" in docs/bus.md`);
    if (answer[0] !== 1) {
      floor = Math.max(floor, mark.epoch + 1);
      return;
    }
    events.fenced(shard, mark.number);
    await scanValues(link, hash, (entries) => {
      for (let index = 0; index + 1 < entries.length; index += 2) {
        if (isMarkField(entries[index]) || !read(decoder, entries[index + 1], record, feed)) continue;
        const isDifferent = table.adopt(record);
        events.adopted(table.rowOf(record.symbol), record.seq);
        if (isDifferent) events.differs(table.rowOf(record.symbol));
        known.add(table.rowOf(record.symbol));
      }
      return true;
    });
  };
  for (let first = 0; first < keys.shards && floor === epoch; first += AT_ONCE) {
    const count = Math.min(AT_ONCE, keys.shards - first);
    await Promise.all(Array.from({ length: count }, (_, index) => one(first + index)));
  }
  for (const row of known) if (table.finishTakeover(row)) events.differs(row);
  return { floor, known };
}

/** Reads a value if it is a record of this feed. */
function read(decoder: BatchDecoder, value: Buffer, record: BusRecord, feed: string): boolean {
  try {
    return decoder.value(value, record) === feed;
  } catch (error) {
    // Not ours to judge here: it will be written over with the symbol's next tick.
    if (error instanceof WireError) return false;
    throw error;
  }
}
