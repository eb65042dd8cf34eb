/**
 * Reads a shard's last-value hash in slices: one read of a million symbols would block Redis for a second, and the
 * reader for several.
 */
import { RedisDownError, type RedisLink } from "./connection/link.ts";

/**
 * The approximate number of fields in a slice: an answer of 90 KB takes Redis a quarter of a millisecond, and its
 * processing four.
 */
const SLICE = 500;
/** Fields that one call scans for marks; only marks are returned. It takes Redis two milliseconds. */
const MARKS_SLICE = 10_000;
/**
 * The most fields that are read of a hash, at some 5 µs each: by mistake a hash may grow without a limit. A gateway or
 * publisher has no room for more symbols either (`--max-symbols`).
 */
export const MAX_FIELDS = 4_000_000;
/** How long Redis may take for a slice, in milliseconds. */
const TIMEOUT = 5_000;

/** Receives fields and values, alternating. @returns whether to continue */
export type TakeSlice = (entries: readonly Buffer[]) => boolean;

/**
 * Reads the marks, then all fields, marks included. A field that is in the hash all the time is read at least once; of
 * one that changes meanwhile, some value of that time.
 * @returns false when only the first {@link MAX_FIELDS} fields were read
 * @throws RedisDownError when Redis does not answer, or the connection changes to another server
 */
export async function scanHash(link: RedisLink, key: string, marks: TakeSlice, values: TakeSlice): Promise<boolean> {
  await scanMarks(link, key, marks);
  return scan(link, key, ["COUNT", SLICE], SLICE, values);
}

/** The marks only. */
export async function scanMarks(link: RedisLink, key: string, marks: TakeSlice): Promise<void> {
  await scan(link, key, ["MATCH", "#*", "COUNT", MARKS_SLICE], MARKS_SLICE, marks);
}

/** As {@link scanHash}, without the marks first. */
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
    // A cursor is valid at one server only.
    if (link.reconnects !== reconnects) throw new RedisDownError(`${link.name} was lost while it was read`);
    const [next, entries] = answer as [Buffer, Buffer[]];
    if (!take(entries)) return true;
    cursor = next.toString();
    left -= Math.max(step, entries.length / 2);
  } while (cursor !== "0" && left > 0);
  return cursor === "0";
}
