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
  "seqSkipped",
] as const;

/** One of {@link VIOLATIONS}. */
export type Violation = (typeof VIOLATIONS)[number];

/** The count of each violation. */
export type Violations = { readonly [V in Violation]: number };

/** Is called with each violation. */
export type ViolationListener = (violation: Violation, detail: string) => void;

/** Counts that are 0. */
export function noViolations(): { [V in Violation]: number } {
  return Object.fromEntries(VIOLATIONS.map((name) => [name, 0])) as { [V in Violation]: number };
}
