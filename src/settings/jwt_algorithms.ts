/** The algorithms that a token may be signed with: those with a secret, and those with a pair of keys. */
export const SECRET_ALGORITHMS = ["HS256", "HS384", "HS512"] as const;
export const KEY_ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
] as const;
