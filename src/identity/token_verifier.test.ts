/** Tokens that must be accepted, and all kinds that must not. */
import assert from "node:assert/strict";
import { createHmac, webcrypto } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import {
  CompactEncrypt,
  type CryptoKey,
  createLocalJWKSet,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWTPayload,
  SignJWT,
} from "jose";
import { SECRET } from "../../test/support/tokens.ts";
import { ManualClock } from "../base/clock.ts";
import { type KeySource, readKeySet, SecretKey } from "./key_source.ts";
import { type TokenFacts, TokenVerifier, VerifierCounts } from "./token_verifier.ts";

const { subtle } = webcrypto;
const NOW = 1_800_000_000;
const { privateKey, publicKey } = await generateKeyPair("RS256", { extractable: true });
const jwk = { ...(await exportJWK(publicKey)), kid: "one", alg: "RS256" };
const set = createLocalJWKSet({ keys: [jwk] });
const KEYS: KeySource = {
  start: async () => {},
  find: async (header) => (await set(header)) as CryptoKey,
  close: () => {},
};

function verifier(keys: KeySource, own: object = {}) {
  const counts = new VerifierCounts({ metrics: true });
  const options = { algorithms: ["RS256"], issuer: "", audience: "", clockTolerance: 5_000, ...own };
  return { counts, verifier: new TokenVerifier(keys, options, new ManualClock(NOW * 1e6), counts) };
}

const signed = (claims: JWTPayload = {}, header: object = {}, key: CryptoKey = privateKey) =>
  new SignJWT({ sub: "ann", iat: NOW, exp: NOW + 60, ...claims })
    .setProtectedHeader({ alg: "RS256", kid: "one", ...header })
    .sign(key);

/** A token of any content, signed with a secret by hand. */
function byHand(header: object, payload: string, secret: string | Buffer = SECRET): string {
  const parts = [JSON.stringify(header), payload].map((text) => Buffer.from(text).toString("base64url"));
  const signature = createHmac("sha256", secret).update(parts.join(".")).digest("base64url");
  return [...parts, signature].join(".");
}

test("a good token is accepted, with what it says", async () => {
  const { verifier: rs, counts } = verifier(KEYS, { issuer: "us", audience: "prices" });
  const facts = await rs.verify(await signed({ iss: "us", aud: ["x", "prices"], jti: "7", roles: "desk  sales" }));
  assert.deepEqual(facts, {
    subject: "ann",
    tokenId: "7",
    roles: ["desk", "sales"],
    grants: undefined,
    issuedAt: NOW * 1e6,
    acceptedAt: NOW * 1e6,
    expires: (NOW + 60) * 1e6,
  });
  assert.equal(counts.accepted, 1);
  // Within the tolerance for clocks.
  assert.ok("subject" in (await verifier(KEYS).verifier.verify(await signed({ exp: NOW - 3 }))));
});

test("no attack gets in, and each is counted under its reason", async () => {
  const other = await generateKeyPair("RS256");
  const spki = await exportSPKI(publicKey);
  const ours = { iss: "us", aud: "prices" };
  const [head, body, signature] = (await signed(ours)).split(".");
  const encrypted = await new CompactEncrypt(Buffer.from('{"sub":"ann"}'))
    .setProtectedHeader({ alg: "RSA-OAEP-256", enc: "A256GCM" })
    .encrypt((await generateKeyPair("RSA-OAEP-256")).publicKey);
  const none = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${body}.`;
  const attacks: [name: string, token: string, reason: string][] = [
    ["alg none", none, "algorithm"],
    ["alg None", none.replace(/^[^.]+/, Buffer.from('{"alg":"None"}').toString("base64url")), "algorithm"],
    ["HMAC with the public key", byHand({ alg: "HS256", kid: "one" }, '{"sub":"ann"}', spki), "algorithm"],
    ["another key", await signed(ours, {}, other.privateKey), "signature"],
    [
      "another key in the header",
      await signed(ours, { jwk: await exportJWK(other.publicKey) }, other.privateKey),
      "signature",
    ],
    ["an address of keys", await signed(ours, { jku: "http://127.0.0.1:1/k" }, other.privateKey), "signature"],
    ["a certificate's address", await signed(ours, { x5u: "http://127.0.0.1:1/k" }, other.privateKey), "signature"],
    ["an unknown kid", await signed(ours, { kid: "two" }), "key"],
    [
      "a critical header",
      `${Buffer.from('{"alg":"RS256","kid":"one","crit":["x"],"x":1}').toString("base64url")}.${body}.${signature}`,
      "malformed",
    ],
    ["expired", await signed({ ...ours, exp: NOW - 6 }), "expired"],
    ["of the future", await signed({ ...ours, iat: NOW + 60 }), "early"],
    ["not yet valid", await signed({ ...ours, nbf: NOW + 60 }), "early"],
    ["another issuer", await signed({ ...ours, iss: "them" }), "issuer"],
    ["no issuer", await signed({ aud: "prices" }), "issuer"],
    ["another audience", await signed({ ...ours, aud: "news" }), "audience"],
    ["two parts", `${head}.${body}`, "malformed"],
    ["four parts", `${head}.${body}.${signature}.${signature}`, "malformed"],
    ["another body", `${head}.${Buffer.from('{"sub":"bob"}').toString("base64url")}.${signature}`, "signature"],
    ["no signature", `${head}.${body}.`, "signature"],
    ["encrypted", encrypted, "malformed"],
    ["huge", `${head}.${"A".repeat(20_000)}.${signature}`, "malformed"],
    ["empty", "", "malformed"],
  ];
  for (const [name, token, reason] of attacks) {
    const { verifier: rs, counts } = verifier(KEYS, { issuer: "us", audience: "prices" });
    const result = await rs.verify(token);
    assert.ok("refused" in result, name);
    assert.deepEqual([result.refused, result.reason], ["invalid_token", reason], name);
    assert.equal(counts.refused[reason], 1);
    assert.ok(token === "" || !result.message.includes(token.slice(0, 12)), `${name}: the message has the token`);
  }
});

test("claims of odd types are refused, by whatever key they are signed", async () => {
  const odd: Record<string, unknown>[] = [
    { sub: 7 },
    { sub: "" },
    { sub: "x".repeat(257) },
    { jti: 7 },
    { roles: 7 },
    { roles: ["desk", 7] },
    { roles: new Array(101).fill("r") },
    { exp: "never" },
    { exp: 1e30 },
    { exp: -1 },
    { iat: "today" },
    { nbf: {} },
    { grants: "all" },
    { grants: [{ symbols: ["*"], channels: ["news"] }] },
    { grants: [{ symbols: ["a b"] }] },
    { grants: [{ symbols: ["A"], delay: -1 }] },
    { grants: [{ symbols: ["A"], delay: 0.5 }] },
  ];
  for (const claims of odd) {
    const { verifier: hs } = verifier(new SecretKey(SECRET), { algorithms: ["HS256"] });
    const result = await hs.verify(byHand({ alg: "HS256" }, JSON.stringify({ sub: "ann", ...claims })));
    assert.ok("refused" in result && result.refused === "invalid_token", JSON.stringify(claims));
  }
  for (const payload of ["[]", '"ann"', "no JSON", "null"]) {
    const { verifier: hs } = verifier(new SecretKey(SECRET), { algorithms: ["HS256"] });
    assert.ok("refused" in (await hs.verify(byHand({ alg: "HS256" }, payload))), payload);
  }
});

/** Keys as an issuer publishes them: those that a token names, or all that fit. */
function published(...keys: object[]): KeySource {
  const keySet = readKeySet(JSON.stringify({ keys }));
  return { start: async () => {}, find: async (header) => (await keySet(header)) as CryptoKey, close: () => {} };
}

test("a key that is too weak or broken is the reason, not the token", async () => {
  // Node's own: jose neither makes nor imports a pair that is too weak.
  const pair = await subtle.generateKey(
    { name: "RSASSA-PKCS1-v1_5", modulusLength: 1_024, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" },
    true,
    ["sign", "verify"],
  );
  const weak = { ...(await exportJWK(pair.publicKey)), kid: "one", alg: "RS256" };
  const head = Buffer.from('{"alg":"RS256","kid":"one"}').toString("base64url");
  const body = Buffer.from(`{"sub":"ann","exp":${NOW + 60}}`).toString("base64url");
  const signature = await subtle.sign("RSASSA-PKCS1-v1_5", pair.privateKey, Buffer.from(`${head}.${body}`));
  const weakToken = `${head}.${body}.${Buffer.from(signature).toString("base64url")}`;
  const es = await generateKeyPair("ES256");
  const esToken = await signed({}, { alg: "ES256" }, es.privateKey);
  const point = { kty: "EC", crv: "P-256", kid: "one", alg: "ES256" };
  const cases: [token: string, key: object][] = [
    [weakToken, weak],
    [esToken, { ...point, x: "AAAA", y: "AAAA" }],
    [esToken, { ...point, x: "A".repeat(43), y: "A".repeat(43) }],
    [esToken, point],
    [esToken, { ...point, x: 7, y: {} }],
    [await signed(), { kty: "RSA", kid: "one", n: "", e: "" }],
  ];
  for (const [token, key] of cases) {
    const { verifier: any, counts } = verifier(published(key), { algorithms: ["RS256", "ES256"] });
    const result = await any.verify(token);
    assert.ok("refused" in result && result.reason === "key", JSON.stringify([key, result]));
    assert.equal(counts.refused.key, 1);
    // The same where it is one of several.
    const { verifier: several } = verifier(published(key, key), { algorithms: ["RS256", "ES256"] });
    const second = await several.verify(token);
    assert.ok("refused" in second && second.reason === "key", JSON.stringify([key, second]));
  }
});

test("a token that does not name its key is tried with each that fits, five at most", async () => {
  const pairs = await Promise.all(Array.from({ length: 6 }, () => generateKeyPair("ES256")));
  const keys = await Promise.all(
    pairs.map(async (pair, index) => ({ ...(await exportJWK(pair.publicKey)), kid: `${index}`, alg: "ES256" })),
  );
  const broken = { kty: "EC", crv: "P-256", kid: "broken", alg: "ES256", x: "AAAA", y: "AAAA" };
  const verify = async (index: number, header: object, claims: JWTPayload = {}) => {
    const { verifier: es } = verifier(published(broken, jwk, ...keys), { algorithms: ["ES256", "RS256"] });
    return es.verify(await signed(claims, { alg: "ES256", ...header }, pairs[index].privateKey));
  };
  for (const index of [0, 1, 4]) {
    assert.ok("subject" in (await verify(index, { kid: undefined })), `key ${index}`);
    assert.ok("subject" in (await verify(index, { kid: `${index}` })), `key ${index}, named`);
  }
  const reasonOf = async (...parts: Parameters<typeof verify>) => {
    const result = await verify(...parts);
    return "refused" in result && result.reason;
  };
  assert.equal(await reasonOf(5, { kid: undefined }), "signature");
  assert.ok("subject" in (await verify(5, { kid: "5" })));
  assert.equal(await reasonOf(1, { kid: "0" }), "signature");
  assert.equal(await reasonOf(3, { kid: undefined }, { exp: NOW - 60 }), "expired");
});

test("a token that differs in one character is not accepted", async () => {
  const token = await signed();
  const { verifier: rs } = verifier(KEYS);
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=";
  await fc.assert(
    fc.asyncProperty(fc.nat(token.length - 1), fc.constantFrom(...alphabet), async (at, character) => {
      const changed = token.slice(0, at) + character + token.slice(at + 1);
      const result = await rs.verify(changed);
      if (!("subject" in result)) return;
      // The last character of a part may hold bits that mean nothing.
      const meant = (text: string) => text.split(".").map((part) => Buffer.from(part, "base64url").toString("hex"));
      assert.deepEqual(meant(changed), meant(token));
      assert.equal((result as TokenFacts).subject, "ann");
    }),
    { numRuns: 500 },
  );
});
