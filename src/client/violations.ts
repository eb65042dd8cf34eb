/**
 * What a client can see of the protocol's promises being broken, counted. All stay 0 at a gateway that keeps them;
 * load tests and monitors look here.
 */
export const VIOLATIONS = {
  beforeHello: "a message came before hello",
  malformed: "a message could not be decoded, or had not the shape of its kind",
  frameTooLarge: "a data frame had more than 64 KiB",
  notGranted: "a tick came for a handle that is granted no symbol",
  beforeGrant: "a tick came for a handle that was granted only later",
  handleChanged: "a symbol's handle changed, or a handle was given to a second symbol",
  wrongLength: "a tick had not as many values as fields were granted",
  twiceInFrame: "a frame held two ticks of one handle",
  tooOften: "two ticks of a handle were sent less than the granted interval apart",
  seqBack: "a seq went back without a status that said reset",
  seqRepeated: "a tick came again, with the seq of the one before and no gap or grant between",
} as const;

export type Violation = keyof typeof VIOLATIONS;

/** How often each promise was broken. */
export type Violations = { readonly [V in Violation]: number };

/** Counts violations and tells of each one. */
export class ViolationCounter {
  readonly counts: { [V in Violation]: number };
  readonly #told: (violation: Violation, detail: string) => void;

  constructor(told: (violation: Violation, detail: string) => void) {
    this.counts = Object.fromEntries(Object.keys(VIOLATIONS).map((name) => [name, 0])) as { [V in Violation]: number };
    this.#told = told;
  }

  add(violation: Violation, detail: string): void {
    this.counts[violation]++;
    this.#told(violation, detail);
  }
}
