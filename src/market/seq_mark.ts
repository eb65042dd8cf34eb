/**
 * A mark is the `seq` of a symbol in 32 bits. It is kept for each symbol of each connection, so it must be small. Marks
 * are equal where numbers differ by a multiple of 2^32 - 1, which is more ticks than a symbol has between two flushes.
 * 0 is no symbol's mark: nothing was sent.
 */
export const MARKS = 2 ** 32 - 1;

/** The mark of a `seq`, from 1 to `marks`. @param marks how many there are */
export function markOf(seq: number, marks = MARKS): number {
  return seq < marks ? seq + 1 : (seq % marks) + 1;
}

/** The number of ticks between two that have these marks. */
export function ticksBetween(before: number, now: number): number {
  return (now > before ? now - before : now - before + MARKS) - 1;
}
