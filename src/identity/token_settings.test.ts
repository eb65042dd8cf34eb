/** Settings of tokens that contradict each other, or would let others make tokens. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IDENTITY_SETTINGS } from "../settings/identity_settings.ts";
import { checkTokenSettings, type TokenSettings, verifierOptions } from "./token_settings.ts";

const DEFAULTS = Object.fromEntries(
  Object.entries(IDENTITY_SETTINGS).map(([name, { default: fallback }]) => [name, fallback]),
) as unknown as TokenSettings;
const check = (own: Partial<TokenSettings>) => checkTokenSettings({ ...DEFAULTS, ...own });
const SECRET = "x".repeat(32);

test("what counts only where tokens are read is refused where they are not", () => {
  const unused: [own: Partial<TokenSettings>, flag: string][] = [
    [{ jwtSecret: SECRET }, "--jwt-secret"],
    [{ jwks: "https://a/keys" }, "--jwks"],
    [{ jwtIssuer: "https://a" }, "--jwt-issuer"],
    [{ jwtAudience: "prices" }, "--jwt-audience"],
    [{ jwtAlgorithms: ["RS256"] }, "--jwt-algorithms"],
    [{ jwtClockTolerance: 0 }, "--jwt-clock-tolerance"],
    [{ tokenInQuery: true }, "--token-in-query"],
  ];
  for (const [own, flag] of unused)
    assert.throws(() => check(own), {
      name: "UsageError",
      message: new RegExp(`^${flag} has no effect with --auth none`),
    });
  check({});
  for (const [own] of unused) check({ auth: "required", ...(own.jwtSecret || own.jwks ? {} : { jwks: "f" }), ...own });
});

test("keys come over https, or from this machine", () => {
  const auth = "required";
  for (const jwks of ["http://login.example.com/keys", "http://10.0.0.1/keys", "http://127.0.0.1.example.com/"])
    assert.throws(() => check({ auth, jwks }), /^UsageError: --jwks http:\S+ must be https/);
  assert.throws(() => check({ auth, jwtIssuer: "http://login.example.com" }), /--jwt-issuer \S+ must be https/);
  assert.throws(() => check({ auth, jwks: "https://[" }), /--jwks \S+ must be https/);
  for (const host of ["https://login.example.com", "http://127.0.0.1:8443", "http://localhost", "http://[::1]:80"]) {
    check({ auth, jwks: `${host}/keys` });
    check({ auth, jwtIssuer: host });
  }
  // Where keys come from elsewhere the issuer is only compared.
  check({ auth, jwks: "keys.json", jwtIssuer: "http://login.example.com" });
  check({ auth, jwtSecret: SECRET, jwtIssuer: "http://login.example.com" });
});

test("a secret is as long as the hash that it is used with", () => {
  const auth = "required";
  for (const [name, bytes] of [
    ["HS256", 32],
    ["HS384", 48],
    ["HS512", 64],
  ] as const) {
    check({ auth, jwtSecret: "x".repeat(bytes), jwtAlgorithms: [name] });
    const short = { jwtSecret: "x".repeat(bytes - 1), jwtAlgorithms: ["HS256" as const, name] };
    assert.throws(
      () => check({ auth, ...short }),
      new RegExp(`--jwt-secret must have at least ${bytes} bytes for ${name}`),
    );
  }
});

test("keys are named once, and the algorithms fit them", () => {
  const auth = "optional";
  assert.throws(() => check({ auth }), /--auth optional needs --jwt-secret, --jwks/);
  assert.throws(() => check({ auth, jwtIssuer: "us" }), /needs/);
  assert.throws(() => check({ auth, jwtSecret: SECRET, jwks: "f" }), /exclude each other/);
  assert.throws(() => check({ auth, jwtSecret: SECRET, jwtAlgorithms: ["RS256"] }), /does not fit a secret/);
  assert.throws(() => check({ auth, jwks: "f", jwtAlgorithms: ["HS256"] }), /does not fit public keys/);
  const algorithms = (own: Partial<TokenSettings>) => verifierOptions({ ...DEFAULTS, ...own }).algorithms;
  assert.deepEqual(algorithms({ jwtSecret: SECRET }), ["HS256"]);
  assert.deepEqual(algorithms({ jwks: "f" }), ["RS256", "PS256", "ES256", "EdDSA"]);
  assert.deepEqual(algorithms({ jwks: "f", jwtAlgorithms: ["ES512"] }), ["ES512"]);
});
