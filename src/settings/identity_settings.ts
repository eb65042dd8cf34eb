/** Settings of tokens, and of what clients may see. */
import { KEY_ALGORITHMS, SECRET_ALGORITHMS } from "./jwt_algorithms.ts";
import { boolean, choice, integer, list, text } from "./option.ts";
import { GATEWAY, secret, setting } from "./setting.ts";

/** RFC 7518, section 3.2: the key of HS256 has at least as many bits as the hash. */
const SECRET_BYTES = 32;
const FILE = text("FILE", "a file name", /^/);

export const IDENTITY_SETTINGS = {
  auth: setting(
    GATEWAY,
    "auth",
    choice("none", "optional", "required"),
    "none",
    "Whether clients present tokens (JWT): none does not read them; with optional a client without one is anonymous; with required it may do nothing",
  ),
  policy: setting(
    GATEWAY,
    "policy",
    FILE,
    "",
    "The JSON file that says what each role may see; it is read again when it changes. Empty: everything is allowed that the token does not limit",
  ),
  jwtSecret: secret(
    GATEWAY,
    "jwt-secret",
    text("SECRET", `empty or at least ${SECRET_BYTES} bytes`, new RegExp(`^$|^[^]{${SECRET_BYTES},4096}$`)),
    "",
    "The secret that tokens are signed with, where that is shared with their issuer: 48 bytes for HS384, 64 for HS512. Give it in the environment, where others do not see it",
  ),
  jwks: setting(
    GATEWAY,
    "jwks",
    text(
      "URL|FILE",
      "an address that starts with https:// or http://, or a file name",
      /^(?!\w+:\/\/)|^https?:\/\/\S+$/,
    ),
    "",
    "The public keys of the tokens' issuer (a JSON Web Key Set, RFC 7517). An address is https, except on this machine; it is read again for a key that is not known, and every ten minutes; a file when it changes. Empty with a --jwt-issuer: by OpenID discovery",
  ),
  jwtIssuer: setting(
    GATEWAY,
    "jwt-issuer",
    text("TEXT", "a text", /^/),
    "",
    "What a token's iss must be; empty: anything",
  ),
  jwtAudience: setting(
    GATEWAY,
    "jwt-audience",
    text("TEXT", "a text", /^/),
    "",
    "What a token's aud must have; empty: anything",
  ),
  jwtAlgorithms: setting(
    GATEWAY,
    "jwt-algorithms",
    { ...list(choice(...SECRET_ALGORITHMS, ...KEY_ALGORITHMS), /[\s,]+/), arg: "NAMES" },
    [] as ((typeof SECRET_ALGORITHMS)[number] | (typeof KEY_ALGORITHMS)[number])[],
    "The algorithms that tokens may be signed with; empty: HS256 with a secret, RS256, PS256, ES256 and EdDSA with keys",
  ),
  jwtClockTolerance: setting(
    GATEWAY,
    "jwt-clock-tolerance",
    integer(0, 300_000, "ms"),
    5_000,
    "How far the clock of the tokens' issuer may be from this one when a token is presented",
  ),
  accessLog: setting(
    GATEWAY,
    "access-log",
    FILE,
    "",
    "A file to which a line is added when a client begins to see a venue at a delay and when that ends, for the reports that exchanges ask for; empty for none",
  ),
  tokenInQuery: setting(
    GATEWAY,
    "token-in-query",
    boolean(),
    false,
    "Whether a token may be in the address as access_token; addresses appear in the logs of balancers",
  ),
} as const;
