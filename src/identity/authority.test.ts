/** The authority that settings ask for: which warnings it gives, and when it is ready. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { logLines } from "../../test/support/log_lines.ts";
import { Issuer, SECRET, sign } from "../../test/support/tokens.ts";
import { SystemClock } from "../base/clock.ts";
import type { Revocations } from "../bus/bus.ts";
import { IDENTITY_SETTINGS } from "../settings/identity_settings.ts";
import { createAuthority, type IdentitySettings } from "./authority.ts";
import { OPEN_AUTHORITY } from "./open_authority.ts";

const DEFAULTS = {
  ...Object.fromEntries(Object.entries(IDENTITY_SETTINGS).map(([name, { default: value }]) => [name, value])),
  metrics: true,
} as unknown as IdentitySettings;

function create(t: TestContext, own: Partial<IdentitySettings>, revocations?: Revocations) {
  const { log, messages } = logLines();
  const running = createAuthority({ ...DEFAULTS, ...own }, new SystemClock(), log, revocations);
  t.after(() => running.close());
  return { ...running, messages };
}

function fileOf(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "tickgate-authority-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "file.json"), text);
  return join(folder, "file.json");
}

const UNREAD = { isKnown: false } as Revocations;
const ANY_AUDIENCE = "tokens for any audience are accepted: there is no --jwt-audience";

test("without tokens and policy everybody sees everything, and revocations do not matter", (t) => {
  const { authority, unready, readsTokens, revocations } = create(t, {}, UNREAD);
  assert.deepEqual([authority, unready(), readsTokens, revocations], [OPEN_AUTHORITY, undefined, false, undefined]);
  const policy = fileOf(t, '{"roles":{"anonymous":{"grants":[{"symbols":["A"]}]}}}');
  const limited = create(t, { policy }, UNREAD);
  assert.equal(limited.unready(), undefined);
  assert.equal(limited.authority.anonymous?.entitlements.decide("quote", "B"), undefined);
});

test("one that reads tokens is not ready before it knows the revocations", (t) => {
  const revocations = { isKnown: false };
  const { unready } = create(t, { auth: "required", jwtSecret: SECRET }, revocations as Revocations);
  assert.equal(unready(), "the revocations of tokens have not been read");
  revocations.isKnown = true;
  assert.equal(unready(), undefined);
  assert.equal(create(t, { auth: "required", jwtSecret: SECRET }).unready(), undefined);
});

test("keys of others without an audience, and no policy for the anonymous, are warned of", async (t) => {
  const issuer = await Issuer.open();
  t.after(() => issuer.close());
  const [auth, jwks] = ["required" as const, fileOf(t, issuer.keySet)];
  assert.deepEqual(create(t, { auth, jwks }).messages(), [ANY_AUDIENCE]);
  assert.deepEqual(create(t, { auth, jwtIssuer: issuer.address }).messages(), [ANY_AUDIENCE]);
  assert.deepEqual(create(t, { auth, jwks, jwtAudience: "prices" }).messages(), []);
  assert.deepEqual(create(t, { auth, jwtSecret: SECRET }).messages(), []);
  assert.deepEqual(create(t, { auth: "optional", jwtSecret: SECRET }).messages(), [
    "clients without a token see everything: there is no policy",
  ]);
});

test("keys come from a secret, a file, an address, or the issuer", async (t) => {
  const issuer = await Issuer.open();
  t.after(() => issuer.close());
  const jwtAudience = "prices";
  const sources: [own: Partial<IdentitySettings>, token: string][] = [
    [{ jwtSecret: SECRET }, await sign({ aud: jwtAudience })],
    [{ jwks: fileOf(t, issuer.keySet) }, await issuer.sign({ aud: jwtAudience })],
    [{ jwks: issuer.keysAddress }, await issuer.sign({ aud: jwtAudience })],
    [{ jwtIssuer: issuer.address }, await issuer.sign({ aud: jwtAudience })],
  ];
  for (const [own, token] of sources) {
    const { authority, start, counts } = create(t, { auth: "required", jwtAudience, ...own });
    await start();
    assert.ok("subject" in (await authority.authenticate(token)), JSON.stringify(own));
    assert.equal(counts.keys.readAt === undefined, own.jwtSecret !== undefined);
  }
  assert.throws(
    () => create(t, { auth: "required", jwks: "/nowhere" }),
    /^UsageError: --jwks \/nowhere cannot be used/,
  );
  assert.throws(() => create(t, { policy: tmpdir() }), /^UsageError: --policy \S+ cannot be used: it is a directory/);
});
