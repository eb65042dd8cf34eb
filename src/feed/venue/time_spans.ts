/** Spans of time that do not overlap, in order; a bounded number of them. */

/** More are not needed: each loss of the source adds one, until it is filled. */
const MOST = 8;

export interface TimeSpan {
  readonly from: number;
  readonly end: number;
}

export class TimeSpans {
  #spans: TimeSpan[] = [];

  /** In order. */
  get all(): readonly TimeSpan[] {
    return this.#spans;
  }

  /** Where there are too many, what lies between the two nearest is added as well. */
  add(from: number, end: number): void {
    if (!(from < end)) return;
    let span = { from, end };
    const others = this.#spans.filter((other) => {
      if (other.end < span.from || other.from > span.end) return true;
      span = { from: Math.min(span.from, other.from), end: Math.max(span.end, other.end) };
      return false;
    });
    this.#spans = [...others, span].sort((a, b) => a.from - b.from);
    if (this.#spans.length > MOST) this.#joinNearest();
  }

  remove(from: number, end: number): void {
    if (!(from < end)) return;
    this.#spans = this.#spans.flatMap((span) =>
      [
        { from: span.from, end: Math.min(span.end, from) },
        { from: Math.max(span.from, end), end: span.end },
      ].filter((rest) => rest.from < rest.end),
    );
    while (this.#spans.length > MOST) this.#joinNearest();
  }

  clear(): void {
    this.#spans = [];
  }

  #joinNearest(): void {
    const spans = this.#spans;
    let nearest = 1;
    const distance = (index: number) => spans[index].from - spans[index - 1].end;
    for (let index = 2; index < spans.length; index++) if (distance(index) < distance(nearest)) nearest = index;
    spans.splice(nearest - 1, 2, { from: spans[nearest - 1].from, end: spans[nearest].end });
  }
}
