/** Makes the authority that the settings ask for. */
import type { Logger } from "pino";
import type { Clock } from "../base/clock.ts";
import type { Revocations } from "../bus/bus.ts";
import { UsageError } from "../settings/option.ts";
import type { Settings } from "../settings/settings.ts";
import type { Authority } from "./identity.ts";
import { discoverKeys, fetchText, isAddress } from "./key_address.ts";
import { KeyFile } from "./key_file.ts";
import { type KeySource, SecretKey } from "./key_source.ts";
import { OPEN_AUTHORITY } from "./open_authority.ts";
import { type Policy, readPolicy } from "./policy.ts";
import { ReadCounts } from "./read_counts.ts";
import { ReloadedFile } from "./reloaded_file.ts";
import { RemoteKeys } from "./remote_keys.ts";
import { TokenAuthority } from "./token_authority.ts";
import { checkTokenSettings, type TokenSettings, verifierOptions } from "./token_settings.ts";
import { TokenVerifier, VerifierCounts } from "./token_verifier.ts";

export type IdentitySettings = TokenSettings & Pick<Settings, "metrics" | "policy">;

/** An authority with its keys and files. */
export interface RunningAuthority {
  readonly authority: Authority;
  /** For metrics and reports. */
  readonly counts: { readonly verifier: VerifierCounts; readonly keys: ReadCounts; readonly policy: ReadCounts };
  /** Whether tokens are read. */
  readonly readsTokens: boolean;
  /** The revocations that count here; undefined where there are none. */
  readonly revocations: Revocations | undefined;
  /** Why tokens cannot be judged; undefined where they can. */
  unready(): string | undefined;
  /** Reads keys and revocations for the first time; where that takes too long it goes on without. */
  start(): Promise<void>;
  close(): void;
}

/**
 * @param shared the revocations that all gateways share; undefined where there is no place for them
 * @throws UsageError where settings are wrong or contradict each other, or a file cannot be used
 */
export function createAuthority(
  settings: IdentitySettings,
  clock: Clock,
  log: Logger,
  shared?: Revocations,
): RunningAuthority {
  checkTokenSettings(settings);
  const { auth: mode, policy: path } = settings;
  const counts = { verifier: new VerifierCounts(settings), keys: new ReadCounts(), policy: new ReadCounts() };
  const readsTokens = mode !== "none";
  if (!readsTokens && path === "")
    return {
      authority: OPEN_AUTHORITY,
      counts,
      readsTokens,
      revocations: undefined,
      unready: () => undefined,
      start: async () => {},
      close: () => {},
    };
  const own = log.child({ part: "identity" });
  const policy =
    path === ""
      ? undefined
      : usable("--policy", path, () => new ReloadedFile<Policy>(path, clock, readPolicy, counts.policy));
  const keys = readsTokens ? createKeys(settings, clock, own, counts.keys) : undefined;
  warn(settings, own);
  const verifier = keys && new TokenVerifier(keys, verifierOptions(settings), clock, counts.verifier);
  const revocations = readsTokens ? shared : undefined;
  const authority = new TokenAuthority({ mode, verifier, policy, revocations, clock, log: own });
  return {
    authority,
    counts,
    readsTokens,
    revocations,
    unready: () => (revocations?.isKnown === false ? "the revocations of tokens have not been read" : undefined),
    start: async () => {
      await Promise.all([keys?.start(), authority.start()]);
    },
    close: () => {
      keys?.close();
      authority.close();
    },
  };
}

function warn({ auth, policy, jwtSecret, jwtAudience }: IdentitySettings, log: Logger): void {
  if (auth === "optional" && policy === "") log.warn("clients without a token see everything: there is no policy");
  // Who shares a secret issues tokens for this gateway; the keys of an issuer sign those for others as well.
  if (auth !== "none" && jwtSecret === "" && jwtAudience === "")
    log.warn("tokens for any audience are accepted: there is no --jwt-audience");
}

function createKeys(settings: IdentitySettings, clock: Clock, log: Logger, counts: ReadCounts): KeySource {
  const { jwtSecret, jwks, jwtIssuer } = settings;
  if (jwtSecret !== "") return new SecretKey(jwtSecret);
  if (jwks === "") return new RemoteKeys(async () => fetchText(await discoverKeys(jwtIssuer)), clock, log, counts);
  if (isAddress(jwks)) return new RemoteKeys(() => fetchText(jwks), clock, log, counts);
  return usable("--jwks", jwks, () => new KeyFile(jwks, clock, log, counts));
}

function usable<T>(flag: string, path: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new UsageError(`${flag} ${path} cannot be used: ${(error as Error).message}`);
  }
}
