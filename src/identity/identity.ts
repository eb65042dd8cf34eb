/**
 * Who is connected and what they may see. A session asks its identity for each symbol; nothing else decides.
 */
import type { AuthMode, Channel } from "../protocol/messages.ts";

/** How an allowed symbol may be seen. */
export interface Access {
  /** The shortest interval between two ticks, ms. */
  readonly interval: number;
  /** How late its data must be, ms; 0 for live. */
  readonly delay: number;
}

/** What an identity may see. */
export interface Entitlements {
  /** Whether all symbols of all channels are allowed, live and at any interval: then there is nothing to decide. */
  readonly allowsAll: boolean;
  /** @returns undefined where the symbol is not allowed, whether it exists or not */
  decide(channel: Channel, symbol: string): Access | undefined;
  /**
   * Symbols, and prefixes that end with `*`, that cover all that is allowed and nothing else: no search has to touch
   * other symbols.
   * @param isLive without what is allowed only late
   */
  covering(channel: Channel, isLive: boolean): readonly string[];
}

/** A client, as its token or the lack of one describes it. It never changes; see {@link Authority.review}. */
export interface Identity {
  /** Undefined without a token. */
  readonly subject: string | undefined;
  /** The names of its roles that the policy has; `anonymous` without a token. */
  readonly roles: readonly string[];
  readonly entitlements: Entitlements;
  /** Connections of one subject at this node (without a token: of one address), and symbols of one connection. */
  readonly maxConnections: number;
  readonly maxSymbols: number;
  /** When its token was issued, was received, and expires, microseconds since the Unix epoch; undefined for never. */
  readonly issuedAt: number | undefined;
  readonly acceptedAt: number;
  readonly expires: number | undefined;
}

/** Why a token is refused; the message may be sent to the client. */
export interface TokenRefusal {
  readonly refused: "invalid_token" | "unavailable";
  /** For metrics and logs, such as `expired`, `signature`, `audience`, `revoked`. */
  readonly reason: string;
  readonly message: string;
}

/** Turns tokens into identities, by the current keys, policy and revocations. */
export interface Authority {
  readonly mode: AuthMode;
  /** The identity of clients without a token; undefined where a token is required. */
  readonly anonymous: Identity | undefined;
  /** The longest delay by which the policy shows the symbol, or any, to a role, ms; 0 where to none late. */
  longestDelay(channel: Channel, symbol?: string): number;
  /** Verifies a token. It does not block the event loop, and never rejects. */
  authenticate(token: string): Promise<Identity | TokenRefusal>;
  /**
   * The identity by the policy and the revocations as they are now: the same object where nothing has changed for it.
   * @returns undefined where its token has been revoked
   */
  review(identity: Identity): Identity | undefined;
  /** @param listener is called after each change of the policy or of the revocations, before anything else is sent */
  onChange(listener: () => void): void;
}
