/**
 * Entries of a subscription that have had their snapshot and wait for one interval before they take part in scans: so a
 * symbol that joins gets its snapshot at once, and the interval of the others is kept.
 */
export class AdmissionQueue {
  /** Up to which entry, and when the snapshots were sent: the first and the last, ms. */
  readonly #joins: { end: number; from: number; at: number }[] = [];

  /** Entries up to `end` got their snapshot; those of an eighth of an interval are admitted together. */
  add(end: number, interval: number, now: number): void {
    const last = this.#joins.at(-1);
    if (last && now - last.from < interval / 8) {
      last.end = end;
      last.at = now;
    } else this.#joins.push({ end, from: now, at: now });
  }

  /** Takes out those that have waited for an interval. @returns up to which entry, or -1 where there are none */
  admit(interval: number, now: number): number {
    let due = 0;
    while (due < this.#joins.length && this.#joins[due].at + interval <= now) due++;
    return due > 0 ? this.#joins.splice(0, due)[due - 1].end : -1;
  }

  /** An entry is removed. @param index its index before any was removed @param removed how many before it were */
  remove(index: number, removed: number): void {
    for (const join of this.#joins) if (index < join.end + removed) join.end--;
  }
}
