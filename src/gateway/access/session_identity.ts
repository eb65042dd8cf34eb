/**
 * Who is at the other end of one connection: by a token, or by the lack of one. It changes during the connection:
 * by a new token, when the token expires or is revoked, and with the policy.
 */
import type { Clock } from "../../base/clock.ts";
import type { Authority, Identity, TokenRefusal } from "../../identity/identity.ts";
import type { EndReason } from "../../protocol/messages.ts";
import type { ConnectedIdentities } from "./connected_identities.ts";

/** How long a client has to present a token where one is required, ms: as the protocol says. */
const AUTH_TIME = 10_000;
/** `expiring` is sent so long before a token expires, microseconds; or at half of its lifetime, if that is later. */
const WARNING = 60_000_000;

export interface SessionIdentityParts {
  readonly authority: Authority;
  readonly identities: ConnectedIdentities;
  readonly clock: Clock;
  readonly settings: { readonly jwtClockTolerance: number };
}

/** The session, as far as its identity concerns it. */
export interface IdentityOwner {
  readonly address: string;
  /** The identity is another one from now on. @param reason of what it may not see any more */
  applyIdentity(identity: Identity | undefined, reason: EndReason): void;
  /** The token expires in so many ms. */
  warnExpiring(millis: number): void;
  /** There is no identity, and none may come any more: the connection is to be closed. */
  endUnidentified(reason: string): void;
}

/** Why a token was not taken over. */
export type AuthFailure = TokenRefusal | { readonly refused: "forbidden" | "full"; readonly message: string };

export class SessionIdentity {
  readonly #parts: SessionIdentityParts;
  readonly #owner: IdentityOwner;
  readonly #openedAt: number;
  #current: Identity | undefined;
  /** Of the first token: all later ones must have it. */
  #subject: string | undefined;
  /** When the token expires, and when the client is to be warned, microseconds. */
  #expires = Number.POSITIVE_INFINITY;
  #warnAt = Number.POSITIVE_INFINITY;
  /** The expiry that the client was last warned of. */
  #warnedOf: number | undefined;
  #isClosed = false;

  /** @param identity by the token in the upgrade, undefined where there was none */
  constructor(parts: SessionIdentityParts, owner: IdentityOwner, identity: Identity | undefined) {
    this.#parts = parts;
    this.#owner = owner;
    this.#openedAt = parts.clock.millis();
    this.#set(identity ?? parts.authority.anonymous);
    this.#schedule();
  }

  get current(): Identity | undefined {
    return this.#current;
  }

  /** Verifies a token, and takes it over. @returns why not */
  async authenticate(token: string): Promise<AuthFailure | undefined> {
    const { authority, identities } = this.#parts;
    const identity = await authority.authenticate(token);
    if ("refused" in identity) return identity;
    if (this.#isClosed) return undefined;
    if (this.#subject !== undefined && identity.subject !== this.#subject)
      return { refused: "forbidden", message: "the token is of another subject than the one before" };
    const isCounted = this.#current?.subject !== undefined;
    if (!isCounted && !identities.hasRoom(identity, this.#owner.address))
      return { refused: "full", message: "too many connections of this subject" };
    this.#replace(identity, "not_entitled");
    this.#schedule();
    return undefined;
  }

  /** The policy or the revocations have changed. */
  review(): void {
    const current = this.#current;
    if (!current || this.#isClosed) return;
    const { authority } = this.#parts;
    if (current.subject === undefined) {
      if (current !== authority.anonymous) this.#replace(authority.anonymous, "not_entitled");
      return;
    }
    const next = authority.review(current);
    if (!next) this.#expire("the token has been revoked");
    else if (next !== current) this.#replace(next, "not_entitled");
  }

  /** Does what is due; to be called several times a second. */
  maintain(): void {
    const { authority, clock } = this.#parts;
    if (!this.#current) {
      const isOverdue = authority.mode === "required" && clock.millis() - this.#openedAt >= AUTH_TIME;
      if (isOverdue) this.#owner.endUnidentified("no token has come");
      return;
    }
    if (this.#expires === Number.POSITIVE_INFINITY) return;
    const now = clock.micros();
    if (now >= this.#expires) return this.#expire("the token has expired");
    if (now < this.#warnAt) return;
    this.#warnAt = Number.POSITIVE_INFINITY;
    this.#warnedOf = this.#current.expires;
    this.#owner.warnExpiring(Math.ceil((this.#expires - now) / 1_000));
  }

  close(): void {
    this.#isClosed = true;
    if (this.#current) this.#parts.identities.remove(this.#current, this.#owner.address);
    this.#current = undefined;
  }

  #expire(reason: string): void {
    const { anonymous } = this.#parts.authority;
    this.#replace(anonymous, "expired");
    this.#schedule();
    if (!anonymous) this.#owner.endUnidentified(reason);
  }

  #replace(identity: Identity | undefined, reason: EndReason): void {
    this.#set(identity);
    this.#owner.applyIdentity(identity, reason);
  }

  #set(identity: Identity | undefined): void {
    const { identities } = this.#parts;
    const { address } = this.#owner;
    if (this.#current) identities.remove(this.#current, address);
    if (identity) identities.add(identity, address);
    this.#current = identity;
    this.#subject ??= identity?.subject;
  }

  /** Sets when the token of the identity expires. */
  #schedule(): void {
    this.#expires = this.#warnAt = Number.POSITIVE_INFINITY;
    if (this.#current?.expires === undefined) return;
    const { expires, acceptedAt, issuedAt = acceptedAt } = this.#current;
    // One that was accepted after its end, by the tolerance for clocks, ends with the tolerance.
    const tolerance = acceptedAt < expires ? 0 : this.#parts.settings.jwtClockTolerance * 1_000;
    this.#expires = expires + tolerance;
    // A client that answers the warning with the same token is not warned again.
    this.#warnAt =
      expires === this.#warnedOf ? Number.POSITIVE_INFINITY : Math.max(expires - WARNING, (issuedAt + expires) / 2);
  }
}
