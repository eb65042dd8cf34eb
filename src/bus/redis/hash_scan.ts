/**
 * Reads a shard's last-value hash in slices: read in one go, a hash of a million symbols would hold Redis up for a
 * second, and whoever takes its values for several.
 */
import { RedisDownError, type RedisLink } from "./connection/link.ts";

/**
 * Fields in a slice, about: an answer of 90 KB, which takes Redis a quarter of a millisecond and a reader four with
 * what it makes of it.
 */
const SLICE = 500;
/** Fields that one call scans to find the marks: only those come back. It takes Redis two milliseconds. */
const MARKS_SLICE = 10_000;
/**
 * The most fields that are read of a hash. A read takes some 5 µs a field, and some mistake may fill a hash without
 * end; there is no room for so many symbols in a gateway or a publisher either (`--max-symbols`).
 */
export const MAX_FIELDS = 4_000_000;
/** How long Redis may take for a slice, in milliseconds. */
const TIMEOUT = 5_000;

/** Given fields and values, one after the other. @returns whether to go on */
export type TakeSlice = (entries: readonly Buffer[]) => boolean;

/**
 * Reads the marks, then everything, marks among it. What was in the hash all the time is given once at least; what
 * changes meanwhile is given as it was at some time in between.
 * @returns whether all of it was read, and not only the first {@link MAX_FIELDS} fields
 * @throws RedisDownError when Redis does not answer, or another one does meanwhile
 */
export async function scanHash(link: RedisLink, key: string, marks: TakeSlice, values: TakeSlice): Promise<boolean> {
  await scan(link, key, ["MATCH", "#*", "COUNT", MARKS_SLICE], MARKS_SLICE, marks);
  return scan(link, key, ["COUNT", SLICE], SLICE, values);
}

/** As {@link scanHash}, for who needs no marks. */
export function scanValues(link: RedisLink, key: string, values: TakeSlice): Promise<boolean> {
  return scan(link, key, ["COUNT", SLICE], SLICE, values);
}

async function scan(
  link: RedisLink,
  key: string,
  options: readonly (string | number)[],
  step: number,
  take: TakeSlice,
): Promise<boolean> {
  const { reconnects } = link;
  let cursor = "0";
  let left = MAX_FIELDS;
  do {
    const answer = await link.call("hscan", [key, cursor, ...options], TIMEOUT);
    // A cursor of one server means nothing to another.
    if (link.reconnects !== reconnects) throw new RedisDownError(`${link.name} was lost while it was read`);
    const [next, entries] = answer as [Buffer, Buffer[]];
    if (!take(entries)) return true;
    cursor = next.toString();
    left -= Math.max(step, entries.length / 2);
  } while (cursor !== "0" && left > 0);
  return cursor === "0";
}
