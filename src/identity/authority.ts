/** Makes the authority that the settings ask for. */
import type { Logger } from "pino";
import type { Clock } from "../base/clock.ts";
import { KEY_ALGORITHMS, SECRET_ALGORITHMS } from "../settings/jwt_algorithms.ts";
import { UsageError } from "../settings/option.ts";
import type { Settings } from "../settings/settings.ts";
import type { Authority } from "./identity.ts";
import { discoverKeys, KeyCounts, KeyFile, type KeySource, RemoteKeys, SecretKey } from "./key_source.ts";
import { OPEN_AUTHORITY } from "./open_authority.ts";
import { PolicyFile } from "./policy_file.ts";
import { TokenAuthority } from "./token_authority.ts";
import { TokenVerifier, VerifierCounts } from "./token_verifier.ts";

const DEFAULT_KEY_ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"];

export type IdentitySettings = Pick<
  Settings,
  | "auth"
  | "jwks"
  | "jwtAlgorithms"
  | "jwtAudience"
  | "jwtClockTolerance"
  | "jwtIssuer"
  | "jwtSecret"
  | "metrics"
  | "policy"
>;

/** An authority with its keys and files. */
export interface RunningAuthority {
  readonly authority: Authority;
  /** The same where revocations can concern it. */
  readonly tokens: TokenAuthority | undefined;
  readonly policy: PolicyFile | undefined;
  /** For metrics. */
  readonly counts: { readonly verifier: VerifierCounts; readonly keys: KeyCounts };
  /** Reads keys that are somewhere else for the first time. */
  start(): Promise<void>;
  close(): void;
}

/** @throws UsageError where settings are wrong or contradict each other, or a file cannot be used */
export function createAuthority(settings: IdentitySettings, clock: Clock, log: Logger): RunningAuthority {
  checkSettings(settings);
  const { auth: mode, policy: path } = settings;
  const counts = { verifier: new VerifierCounts(settings), keys: new KeyCounts() };
  if (mode === "none" && path === "") {
    const none = { tokens: undefined, policy: undefined };
    return { authority: OPEN_AUTHORITY, ...none, counts, start: async () => {}, close: () => {} };
  }
  const own = log.child({ part: "identity" });
  const policy = path === "" ? undefined : usable("--policy", path, () => new PolicyFile(path, own));
  if (mode === "optional" && !policy) own.warn("clients without a token see everything: there is no policy");
  const keys = mode === "none" ? undefined : createKeys(settings, clock, own, counts.keys);
  const verifier = keys && new TokenVerifier(keys, verifierOptions(settings), clock, counts.verifier);
  const tokens = new TokenAuthority({ mode, verifier, policy, clock, log: own });
  return {
    authority: tokens,
    tokens,
    policy,
    counts,
    start: async () => keys?.start(),
    close: () => {
      keys?.close();
      tokens.close();
    },
  };
}

function checkSettings({ auth, jwtSecret, jwks, jwtIssuer, jwtAlgorithms }: IdentitySettings): void {
  const hasKeys = jwks !== "" || /^https?:\/\//.test(jwtIssuer);
  if (auth === "none") return;
  if (jwtSecret === "" && !hasKeys)
    throw new UsageError(`--auth ${auth} needs --jwt-secret, --jwks, or a --jwt-issuer that is an address`);
  if (jwtSecret !== "" && jwks !== "") throw new UsageError("--jwt-secret and --jwks exclude each other");
  const fitting: readonly string[] = jwtSecret === "" ? KEY_ALGORITHMS : SECRET_ALGORITHMS;
  const wrong = jwtAlgorithms.find((name) => !fitting.includes(name));
  if (wrong !== undefined)
    throw new UsageError(
      `--jwt-algorithms ${wrong} does not fit ${jwtSecret === "" ? "public keys" : "a secret"}: there are ${fitting.join(", ")}`,
    );
}

function verifierOptions({ jwtAlgorithms, jwtSecret, jwtIssuer, jwtAudience, jwtClockTolerance }: IdentitySettings) {
  const fallback = jwtSecret === "" ? DEFAULT_KEY_ALGORITHMS : ["HS256"];
  return {
    algorithms: jwtAlgorithms.length > 0 ? jwtAlgorithms : fallback,
    issuer: jwtIssuer,
    audience: jwtAudience,
    clockTolerance: jwtClockTolerance,
  };
}

function createKeys(settings: IdentitySettings, clock: Clock, log: Logger, counts: KeyCounts): KeySource {
  const { jwtSecret, jwks, jwtIssuer } = settings;
  if (jwtSecret !== "") return new SecretKey(jwtSecret);
  if (jwks === "") return new RemoteKeys(() => discoverKeys(jwtIssuer), clock, log, counts);
  if (/^https?:\/\//.test(jwks)) return new RemoteKeys(async () => jwks, clock, log, counts);
  return usable("--jwks", jwks, () => new KeyFile(jwks, clock, log, counts));
}

function usable<T>(flag: string, path: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new UsageError(`${flag} ${path} cannot be used: ${(error as Error).message}`);
  }
}
