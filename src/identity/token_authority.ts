/** The authority of a gateway that reads tokens, or has a policy. */
import type { Logger } from "pino";
import type { Clock } from "../base/clock.ts";
import type { Revocations } from "../bus/bus.ts";
import { RateLimitedLog } from "../log/rate_limited_log.ts";
import type { AuthMode, Channel } from "../protocol/messages.ts";
import { GrantedSymbols } from "./grants.ts";
import type { Authority, Entitlements, Identity, TokenRefusal } from "./identity.ts";
import { OPEN_AUTHORITY } from "./open_authority.ts";
import { ANONYMOUS, type Policy, type Role } from "./policy.ts";
import type { ReloadedFile } from "./reloaded_file.ts";
import { RevocationList } from "./revocation_list.ts";
import type { TokenFacts, TokenVerifier } from "./token_verifier.ts";

/**
 * Entitlements are made once for all identities of the same roles. Roles are few, but a token can combine them at will:
 * others than the first combinations have entitlements of their own.
 */
const MOST_COMBINATIONS = 1_000;
/** How long a start waits for the revocations, ms: Redis answers within milliseconds where it is there. */
const REVOCATIONS_TIME = 2_000;

export interface TokenAuthorityParts {
  readonly mode: AuthMode;
  /** Undefined where tokens are not read. */
  readonly verifier: TokenVerifier | undefined;
  /** Undefined: everything is allowed that a token does not limit. */
  readonly policy: ReloadedFile<Policy> | undefined;
  /** Undefined where no place for them is known. */
  readonly revocations: Revocations | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** An identity, with what it was made from. */
interface KnownIdentity extends Identity {
  readonly facts: TokenFacts;
  /** The roles of the policy that it has; undefined without a policy. */
  readonly policyRoles: readonly Role[] | undefined;
}

export class TokenAuthority implements Authority {
  readonly mode: AuthMode;
  readonly #parts: TokenAuthorityParts;
  readonly #events: RateLimitedLog;
  readonly #revocations = new RevocationList();
  readonly #listeners: (() => void)[] = [];
  readonly #identities = new WeakMap<Identity, KnownIdentity>();
  #combinations = new Map<string, Entitlements>();
  #anonymousRole: Role | undefined;
  #anonymous: Identity | undefined;
  /** What the policy shows late. */
  #late: readonly { readonly delay: number; readonly channels: readonly string[]; readonly symbols: GrantedSymbols }[] =
    [];

  constructor(parts: TokenAuthorityParts) {
    this.#parts = parts;
    this.mode = parts.mode;
    this.#events = new RateLimitedLog(parts.log, parts.clock);
    this.#applyPolicy();
    const { policy, log } = parts;
    policy?.watch({
      changed: () => {
        log.info({ file: policy.path, roles: policy.value.size }, "the policy has been read again");
        this.#applyPolicy();
        this.#changed();
      },
      failed: (reason) =>
        log.error({ file: policy.path, reason }, "the policy cannot be read: the last one stays in force"),
    });
  }

  get anonymous(): Identity | undefined {
    return this.#anonymous;
  }

  async authenticate(token: string): Promise<Identity | TokenRefusal> {
    const { verifier, revocations } = this.#parts;
    if (!verifier) return OPEN_AUTHORITY.authenticate(token);
    // It may have been revoked. Without Redis there are no prices either, so this costs clients nothing.
    if (revocations?.isKnown === false)
      return verifier.refuse("unavailable", "the revocations of tokens are not known yet");
    const facts = await verifier.verify(token);
    if ("refused" in facts) return facts;
    if (this.#revocations.has(facts)) return verifier.refuse("revoked", "the token has been revoked");
    this.#countUnknownRoles(facts);
    return this.#identify(facts);
  }

  review(identity: Identity): Identity | undefined {
    const known = this.#identities.get(identity);
    if (!known) return this.#anonymous;
    if (this.#revocations.has(known.facts)) return undefined;
    const roles = this.#rolesOf(known.facts);
    const isSame =
      roles?.length === known.policyRoles?.length &&
      (roles ?? []).every((role, index) => role === known.policyRoles?.[index]);
    return isSame ? identity : this.#identify(known.facts);
  }

  longestDelay(channel: Channel, symbol?: string): number {
    return this.#late.reduce((longest, { delay, channels, symbols }) => {
      const isMeant = channels.includes(channel) && (symbol === undefined || symbols.decide(channel, symbol));
      return isMeant ? Math.max(longest, delay) : longest;
    }, 0);
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Learns the revocations, and all later ones; where that takes too long it goes on without. */
  async start(): Promise<void> {
    const { revocations, clock } = this.#parts;
    if (!revocations) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, REVOCATIONS_TIME);
      revocations.watch((all) => {
        this.#revocations.set(all, clock.micros());
        this.#changed();
        clearTimeout(timer);
        resolve();
      });
    });
  }

  close(): void {
    this.#parts.policy?.close();
    this.#events.close();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  #applyPolicy(): void {
    this.#combinations = new Map();
    const roles = this.#policy;
    // A union of all roles would show the smallest delay: each grant is asked by itself.
    const late = [...(roles?.values() ?? [])].flatMap(({ grants }) => grants.filter(({ delay }) => delay > 0));
    this.#late = late.map((grant) => ({
      delay: grant.delay,
      channels: grant.channels,
      symbols: new GrantedSymbols([grant]),
    }));
    const role = roles?.get(ANONYMOUS);
    if (this.#anonymous && role === this.#anonymousRole) return;
    this.#anonymousRole = role;
    this.#anonymous = this.#identifyAnonymous(role);
  }

  get #policy(): Policy | undefined {
    return this.#parts.policy?.value;
  }

  #identifyAnonymous(role: Role | undefined): Identity | undefined {
    if (this.mode === "required") return undefined;
    if (!this.#parts.policy) return OPEN_AUTHORITY.anonymous;
    return {
      subject: undefined,
      roles: [ANONYMOUS],
      entitlements: new GrantedSymbols(role?.grants ?? []),
      ...limitsOf(role ? [role] : []),
      issuedAt: undefined,
      acceptedAt: 0,
      expires: undefined,
    };
  }

  #identify(facts: TokenFacts): Identity {
    const roles = this.#rolesOf(facts);
    const { subject, issuedAt, acceptedAt, expires } = facts;
    const identity: Identity = {
      subject,
      roles: roles?.map(({ name }) => name) ?? [],
      entitlements: this.#entitlementsOf(facts, roles),
      ...limitsOf(roles ?? []),
      issuedAt,
      acceptedAt,
      expires,
    };
    this.#identities.set(identity, { ...identity, facts, policyRoles: roles });
    return identity;
  }

  #rolesOf({ roles }: TokenFacts): readonly Role[] | undefined {
    const policy = this.#policy;
    if (!policy) return undefined;
    return [...new Set(roles)].flatMap((name) => (name === ANONYMOUS ? [] : (policy.get(name) ?? [])));
  }

  #countUnknownRoles({ roles }: TokenFacts): void {
    const policy = this.#policy;
    if (!policy || !this.#parts.verifier) return;
    for (const name of new Set(roles)) {
      if (policy.has(name) && name !== ANONYMOUS) continue;
      this.#parts.verifier.counts.unknownRoles++;
      this.#events.write("warn", { role: name.slice(0, 64) }, "a token names a role that the policy does not have");
    }
  }

  #entitlementsOf({ grants }: TokenFacts, roles: readonly Role[] | undefined): Entitlements {
    if (!roles)
      return grants ? new GrantedSymbols(grants) : (OPEN_AUTHORITY.anonymous?.entitlements ?? new GrantedSymbols([]));
    if (grants) return new GrantedSymbols([...roles.flatMap((role) => role.grants), ...grants]);
    const key = roles.map(({ name }) => name).join(" ");
    const found = this.#combinations.get(key);
    if (found) return found;
    const made = new GrantedSymbols(roles.flatMap((role) => role.grants));
    if (this.#combinations.size < MOST_COMBINATIONS) this.#combinations.set(key, made);
    return made;
  }
}

/** Of several roles the largest limits count; without roles there are none. */
function limitsOf(roles: readonly Role[]): Pick<Identity, "maxConnections" | "maxSymbols"> {
  if (roles.length === 0) return { maxConnections: Number.POSITIVE_INFINITY, maxSymbols: Number.POSITIVE_INFINITY };
  return {
    maxConnections: Math.max(...roles.map((role) => role.maxConnections)),
    maxSymbols: Math.max(...roles.map((role) => role.maxSymbols)),
  };
}
