/** What the settings of tokens must fulfil together. */
import { IDENTITY_SETTINGS } from "../settings/identity_settings.ts";
import { KEY_ALGORITHMS, SECRET_ALGORITHMS } from "../settings/jwt_algorithms.ts";
import { UsageError } from "../settings/option.ts";
import type { Settings } from "../settings/settings.ts";
import { isAddress, isProtected } from "./key_address.ts";
import type { VerifierOptions } from "./token_verifier.ts";

export type TokenSettings = Pick<
  Settings,
  "auth" | "jwks" | "jwtAlgorithms" | "jwtAudience" | "jwtClockTolerance" | "jwtIssuer" | "jwtSecret" | "tokenInQuery"
>;

/** What counts only where tokens are read. */
const OF_TOKENS = [
  "jwtSecret",
  "jwks",
  "jwtIssuer",
  "jwtAudience",
  "jwtAlgorithms",
  "jwtClockTolerance",
  "tokenInQuery",
] as const;

/** The least bytes of a secret: as many as its hash has (RFC 7518, section 3.2). */
const SECRET_BYTES: Readonly<Record<string, number>> = { HS256: 32, HS384: 48, HS512: 64 };
const DEFAULT_KEY_ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"];

/** @throws UsageError where they contradict each other, or keys could be replaced on their way */
export function checkTokenSettings(settings: TokenSettings): void {
  const { auth, jwtSecret, jwks, jwtIssuer } = settings;
  if (auth === "none") return checkUnused(settings);
  if (jwtSecret === "" && jwks === "" && !isAddress(jwtIssuer))
    throw new UsageError(`--auth ${auth} needs --jwt-secret, --jwks, or a --jwt-issuer that is an address`);
  if (jwtSecret !== "" && jwks !== "") throw new UsageError("--jwt-secret and --jwks exclude each other");
  checkAlgorithms(settings);
  if (jwtSecret !== "") return;
  const [flag, address] = jwks === "" ? ["--jwt-issuer", jwtIssuer] : ["--jwks", jwks];
  if (isAddress(address) && !isProtected(address))
    throw new UsageError(`${flag} ${address} must be https: whoever can replace the keys on their way makes tokens`);
}

function checkUnused(settings: TokenSettings): void {
  for (const name of OF_TOKENS) {
    const { flag, default: fallback } = IDENTITY_SETTINGS[name];
    if (String(settings[name]) !== String(fallback))
      throw new UsageError(`--${flag} has no effect with --auth none: choose optional or required`);
  }
}

function checkAlgorithms({ jwtSecret, jwtAlgorithms }: TokenSettings): void {
  const fitting: readonly string[] = jwtSecret === "" ? KEY_ALGORITHMS : SECRET_ALGORITHMS;
  const wrong = jwtAlgorithms.find((name) => !fitting.includes(name));
  if (wrong !== undefined)
    throw new UsageError(
      `--jwt-algorithms ${wrong} does not fit ${jwtSecret === "" ? "public keys" : "a secret"}: there are ${fitting.join(", ")}`,
    );
  if (jwtSecret === "") return;
  for (const name of jwtAlgorithms)
    if (Buffer.byteLength(jwtSecret) < SECRET_BYTES[name])
      throw new UsageError(`--jwt-secret must have at least ${SECRET_BYTES[name]} bytes for ${name}`);
}

export function verifierOptions(settings: TokenSettings): VerifierOptions {
  const { jwtAlgorithms, jwtSecret, jwtIssuer, jwtAudience, jwtClockTolerance } = settings;
  const fallback = jwtSecret === "" ? DEFAULT_KEY_ALGORITHMS : ["HS256"];
  return {
    algorithms: jwtAlgorithms.length > 0 ? jwtAlgorithms : fallback,
    issuer: jwtIssuer,
    audience: jwtAudience,
    clockTolerance: jwtClockTolerance,
  };
}
