/** The marks of bars' numbers, and of an entry that is still to get past bars. See seq_mark.ts. */

/** The mark of such an entry: this bit, and the position of the next bar. Marks of numbers do not have it. */
export const PAST = 2 ** 31;
/** As many marks of numbers there are: they stay below {@link PAST}. */
export const BAR_MARKS = PAST - 1;
