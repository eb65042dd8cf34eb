/**
 * What a client can see of the protocol's promises being broken, counted. All stay 0 at a gateway that keeps them;
 * load tests and monitors look here. What each means is in docs/client.md.
 */
export const VIOLATIONS = [
  "beforeHello",
  "malformed",
  "frameTooLarge",
  "notGranted",
  "handleChanged",
  "wrongLength",
  "twiceInFrame",
  "tooOften",
  "seqBack",
  "seqRepeated",
] as const;

/** One of {@link VIOLATIONS}. */
export type Violation = (typeof VIOLATIONS)[number];

/** How often each promise was broken. */
export type Violations = { readonly [V in Violation]: number };

/** Counts violations and tells of each one. */
export class ViolationCounter {
  readonly counts: { [V in Violation]: number };
  readonly #told: (violation: Violation, detail: string) => void;

  constructor(told: (violation: Violation, detail: string) => void) {
    this.counts = Object.fromEntries(VIOLATIONS.map((name) => [name, 0])) as { [V in Violation]: number };
    this.#told = told;
  }

  add(violation: Violation, detail: string): void {
    this.counts[violation]++;
    this.#told(violation, detail);
  }
}
