/** The marks of bars' numbers, and of an entry that is still to get past bars. See seq_mark.ts. */

/**
 * The mark of such an entry: this bit, how many are still to come, and the position of the next one. Marks of numbers
 * do not have it.
 */
export const PAST = 2 ** 31;
/** As many marks of numbers there are: they stay below {@link PAST}. */
export const BAR_MARKS = PAST - 1;
/** Positions differ by less than this: more bars are not kept (`--second-bars`). */
const POSITIONS = 2 ** 17;
/** As many as are there, if a mark has no room for their number: more than a client may ask for. */
export const ALL_PAST = 2 ** 14 - 1;

export function pastMark(position: number, count: number): number {
  return PAST + Math.min(count, ALL_PAST) * POSITIONS + (position % POSITIONS);
}

/** How many past bars are still to come. */
export function pastCount(mark: number): number {
  return Math.floor((mark - PAST) / POSITIONS);
}

/** How far the next one is from the end. @param end its position */
export function pastDistance(mark: number, end: number): number {
  const distance = ((end - mark) % POSITIONS) + POSITIONS;
  return distance % POSITIONS;
}
