/** Verifies tokens: JSON Web Tokens (RFC 7519) that are signed (RFC 7515), by the library jose. */
import { type CryptoKey, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from "jose";
import type { Clock } from "../base/clock.ts";
import { createHistogram, type Histogram } from "../base/histogram.ts";
import { type Grant, readGrants } from "./grants.ts";
import type { TokenRefusal } from "./identity.ts";
import { type KeySource, KeysUnavailable } from "./key_source.ts";

/** The longest token, characters: a client's message has 16 KiB, and the head of an upgrade less. */
const MOST_CHARACTERS = 8_192;
/** The longest subject and token id, characters: they are kept for each connection, and logged. */
const MOST_NAME = 256;
/** The most roles of a token. */
const MOST_ROLES = 100;
/**
 * The most tokens that are being verified: each takes some 10 KB. At 2,000 a second some 20 are, unless keys have to be
 * fetched.
 */
const MOST_UNDER_WAY = 2_000;
/**
 * The most keys that are tried for a token that does not say which is its own: each costs a verification, and anybody
 * can send such tokens. An issuer that changes its keys has two or three.
 */
const MOST_TRIED = 5;
/** Times of a token are seconds; later ones than the year 9999 are mistakes, such as milliseconds. */
const LATEST = 253_402_300_799;

/** What a token says. Times are microseconds since the Unix epoch. */
export interface TokenFacts {
  readonly subject: string;
  readonly tokenId: string | undefined;
  readonly roles: readonly string[];
  /** Undefined where the token has no claim `grants`. */
  readonly grants: readonly Grant[] | undefined;
  readonly issuedAt: number | undefined;
  readonly acceptedAt: number;
  readonly expires: number | undefined;
}

export interface VerifierOptions {
  readonly algorithms: readonly string[];
  /** Empty: not checked. */
  readonly issuer: string;
  readonly audience: string;
  /** ms */
  readonly clockTolerance: number;
}

export class VerifierCounts {
  accepted = 0;
  /** Roles that accepted tokens name and the policy does not have. */
  unknownRoles = 0;
  readonly refused: Record<string, number> = Object.fromEntries(REASONS.map((reason) => [reason, 0]));
  /** Time from the call to the result, microseconds. */
  readonly time: Histogram;

  constructor(settings: { readonly metrics: boolean }) {
    this.time = createHistogram(settings);
  }
}

/** Why tokens are refused, for metrics. */
const REASONS = [
  "malformed",
  "algorithm",
  "key",
  "signature",
  "expired",
  "early",
  "issuer",
  "audience",
  "claims",
  "revoked",
  "unavailable",
] as const;
type RefusalReason = (typeof REASONS)[number];

export class TokenVerifier {
  readonly #keys: KeySource;
  readonly #options: VerifierOptions;
  readonly #clock: Clock;
  readonly counts: VerifierCounts;
  #underWay = 0;

  constructor(keys: KeySource, options: VerifierOptions, clock: Clock, counts: VerifierCounts) {
    this.#keys = keys;
    this.#options = options;
    this.#clock = clock;
    this.counts = counts;
  }

  async verify(token: string): Promise<TokenFacts | TokenRefusal> {
    if (token.length > MOST_CHARACTERS)
      return this.refuse("malformed", `a token has at most ${MOST_CHARACTERS} characters`);
    if (this.#underWay >= MOST_UNDER_WAY) return this.refuse("unavailable", "too many tokens are being verified");
    this.#underWay++;
    const start = this.#clock.micros();
    try {
      const now = new Date(start / 1_000);
      const { algorithms, issuer, audience, clockTolerance } = this.#options;
      const payload = await this.#check(token, {
        algorithms: [...algorithms],
        ...(issuer && { issuer }),
        ...(audience && { audience }),
        clockTolerance: clockTolerance / 1_000,
        currentDate: now,
      });
      const facts = this.#readClaims(payload, start);
      if (!("refused" in facts)) this.counts.accepted++;
      return facts;
    } catch (error) {
      return this.#explain(error);
    } finally {
      this.#underWay--;
      this.counts.time.observe(this.#clock.micros() - start);
    }
  }

  /** Counts a refusal. */
  refuse(reason: RefusalReason, message: string): TokenRefusal {
    this.counts.refused[reason]++;
    return { refused: reason === "unavailable" ? reason : "invalid_token", reason, message };
  }

  async #check(token: string, options: JWTVerifyOptions): Promise<JWTPayload> {
    try {
      return (await jwtVerify(token, (header) => this.#keys.find(header), options)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      return this.#tryEach(token, error as unknown as AsyncIterable<CryptoKey>, options);
    }
  }

  /** For a token that does not say which of several keys is its own. */
  async #tryEach(token: string, keys: AsyncIterable<CryptoKey>, options: JWTVerifyOptions): Promise<JWTPayload> {
    let reason: unknown = new errors.JWKSNoMatchingKey();
    let tried = 0;
    for await (const key of keys) {
      if (++tried > MOST_TRIED) break;
      try {
        return (await jwtVerify(token, key, options)).payload;
      } catch (error) {
        if (error instanceof errors.JWSSignatureVerificationFailed) reason = error;
        else if (isOfToken(error)) throw error;
      }
    }
    throw reason;
  }

  #readClaims({ sub, jti, iat, exp, roles, grants }: JWTPayload, acceptedAt: number): TokenFacts | TokenRefusal {
    const claims = (message: string) => this.refuse("claims", message);
    if (typeof sub !== "string" || sub === "" || sub.length > MOST_NAME)
      return claims(`sub must be a text of 1 to ${MOST_NAME} characters`);
    if (jti !== undefined && (typeof jti !== "string" || jti.length > MOST_NAME))
      return claims(`jti must be a text of at most ${MOST_NAME} characters`);
    for (const [name, time] of Object.entries({ iat, exp }))
      if (time !== undefined && !(time >= 0 && time <= LATEST)) return claims(`${name} must be a time in seconds`);
    // A token of the future would escape a revocation of its subject.
    if (iat !== undefined && iat * 1e6 > acceptedAt + this.#options.clockTolerance * 1_000)
      return this.refuse("early", "the token is of the future");
    const names = typeof roles === "string" ? roles.split(" ").filter((name) => name !== "") : (roles ?? []);
    if (!Array.isArray(names) || names.length > MOST_ROLES || names.some((name) => typeof name !== "string"))
      return claims(`roles must be a list of at most ${MOST_ROLES} names`);
    let own: Grant[] | undefined;
    try {
      own = grants === undefined ? undefined : readGrants(grants, "grants");
    } catch (error) {
      return claims((error as Error).message);
    }
    return {
      subject: sub,
      tokenId: jti,
      roles: names,
      grants: own,
      issuedAt: iat === undefined ? undefined : Math.floor(iat * 1e6),
      acceptedAt,
      expires: exp === undefined ? undefined : Math.floor(exp * 1e6),
    };
  }

  /** The messages are of our own: those of the library may contain parts of the token. */
  #explain(error: unknown): TokenRefusal {
    if (error instanceof KeysUnavailable) return this.refuse("unavailable", "the token cannot be verified at present");
    if (error instanceof errors.JWTExpired) return this.refuse("expired", "the token has expired");
    if (error instanceof errors.JWTClaimValidationFailed) {
      if (error.claim === "iss") return this.refuse("issuer", "the token is of another issuer");
      if (error.claim === "aud") return this.refuse("audience", "the token is for another audience");
      if (error.claim === "nbf") return this.refuse("early", "the token is not valid yet");
      return this.refuse("claims", "a claim of the token is not valid");
    }
    if (error instanceof errors.JOSEAlgNotAllowed)
      return this.refuse("algorithm", "the token's algorithm is not allowed");
    if (error instanceof errors.JWSSignatureVerificationFailed)
      return this.refuse("signature", "the token's signature is not valid");
    if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
      return this.refuse("key", "the token's key is not known");
    if (!isOfToken(error)) return this.refuse("key", "the token's key cannot be used");
    return this.refuse("malformed", "not a signed token");
  }
}

/** Whether the fault is the token's; where the key is too weak or broken, the error is not one of jose's own. */
function isOfToken(error: unknown): boolean {
  return error instanceof errors.JOSEError;
}
