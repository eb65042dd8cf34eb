/**
 * Violations of the protocol that a client can detect. All counts stay 0 with a correct gateway, so load tests and
 * monitors check them. docs/client.md explains each one.
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

/** The count of each violation. */
export type Violations = { readonly [V in Violation]: number };

/** Counts violations, and calls a listener for each one. */
export class ViolationCounter {
  readonly counts: { [V in Violation]: number };
  readonly #listener: (violation: Violation, detail: string) => void;

  constructor(listener: (violation: Violation, detail: string) => void) {
    this.counts = Object.fromEntries(VIOLATIONS.map((name) => [name, 0])) as { [V in Violation]: number };
    this.#listener = listener;
  }

  add(violation: Violation, detail: string): void {
    this.counts[violation]++;
    this.#listener(violation, detail);
  }
}
