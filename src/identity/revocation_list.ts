/** Tokens that have been revoked: all of a subject, one by its id, or all that were issued before a time. */
import type { Revocation } from "../bus/bus.ts";
import type { TokenFacts } from "./token_verifier.ts";

export class RevocationList {
  /** Tokens of the subject that were issued before so many microseconds. */
  readonly #subjects = new Map<string, number>();
  readonly #tokens = new Set<string>();
  #before = Number.NEGATIVE_INFINITY;

  /** Replaces the list. @param now microseconds; what has ended by then is left out */
  set(revocations: readonly Revocation[], now: number): void {
    this.#subjects.clear();
    this.#tokens.clear();
    this.#before = Number.NEGATIVE_INFINITY;
    for (const revocation of revocations) this.add(revocation, now);
  }

  add({ kind, value, issuedBefore, until }: Revocation, now: number): void {
    if (until <= now) return;
    if (kind === "token") this.#tokens.add(value);
    else if (kind === "subject")
      this.#subjects.set(value, Math.max(issuedBefore, this.#subjects.get(value) ?? Number.NEGATIVE_INFINITY));
    else this.#before = Math.max(this.#before, issuedBefore);
  }

  /** A token that does not say when it was issued counts as issued before any time. */
  has({ subject, tokenId, issuedAt = Number.NEGATIVE_INFINITY }: TokenFacts): boolean {
    const before = Math.max(this.#before, this.#subjects.get(subject) ?? Number.NEGATIVE_INFINITY);
    return issuedAt < before || (tokenId !== undefined && this.#tokens.has(tokenId));
  }
}
