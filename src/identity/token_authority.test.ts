/** What an authority makes of tokens, by its policy and the revocations as they are. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { logLines } from "../../test/support/log_lines.ts";
import { SECRET, sign } from "../../test/support/tokens.ts";
import { SystemClock } from "../base/clock.ts";
import type { Revocation, Revocations } from "../bus/bus.ts";
import type { AuthMode } from "../protocol/messages.ts";
import type { Identity } from "./identity.ts";
import { SecretKey } from "./key_source.ts";
import { type Policy, readPolicy } from "./policy.ts";
import { ReloadedFile } from "./reloaded_file.ts";
import { TokenAuthority } from "./token_authority.ts";
import { TokenVerifier, VerifierCounts } from "./token_verifier.ts";

/** Revocations that a test reads when it wants to. */
class ManualRevocations implements Revocations {
  isKnown = false;
  leftOut = 0;
  #changed: (all: readonly Revocation[]) => void = () => {};

  watch(changed: (all: readonly Revocation[]) => void): void {
    this.#changed = changed;
  }

  read(...all: Revocation[]): void {
    this.isKnown = true;
    this.#changed(all);
  }

  async now(): Promise<number> {
    return Date.now() * 1_000;
  }

  async add(): Promise<boolean> {
    return false;
  }

  close(): void {}
}

function open(t: TestContext, own: { mode?: AuthMode; roles?: object; revocations?: Revocations } = {}) {
  const clock = new SystemClock();
  const { log, lines } = logLines();
  const counts = new VerifierCounts({ metrics: true });
  const options = { algorithms: ["HS256"], issuer: "", audience: "", clockTolerance: 0 };
  const verifier = new TokenVerifier(new SecretKey(SECRET), options, clock, counts);
  const folder = mkdtempSync(join(tmpdir(), "tickgate-authority-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "policy.json");
  const write = (roles: object) => writeFileSync(path, JSON.stringify({ roles }));
  if (own.roles) write(own.roles);
  const policy = own.roles ? new ReloadedFile<Policy>(path, clock, readPolicy) : undefined;
  const { mode = "required", revocations } = own;
  const authority = new TokenAuthority({ mode, verifier, policy, revocations, clock, log });
  t.after(() => authority.close());
  let changes = 0;
  authority.onChange(() => changes++);
  const accepted = async (token: string): Promise<Identity> => {
    const identity = await authority.authenticate(token);
    if ("refused" in identity) assert.fail(identity.message);
    return identity;
  };
  const rewrite = (roles: object) => {
    write(roles);
    policy?.check();
  };
  return { authority, counts, lines, accepted, rewrite, changes: () => changes };
}

const grant = (symbol: string, own: object = {}) => ({ symbols: [symbol], ...own });
const sees = ({ entitlements }: Identity, symbol: string) => entitlements.decide("quote", symbol);

test("until the revocations are known no token is accepted; then those that are revoked are not", async (t) => {
  const revocations = new ManualRevocations();
  const { authority, counts, accepted, changes } = open(t, { revocations });
  const token = await sign({ jti: "7" });
  const started = authority.start();
  const early = await authority.authenticate(token);
  assert.ok("refused" in early && early.refused === "unavailable");
  assert.deepEqual([counts.refused.unavailable, counts.accepted], [1, 0]);
  revocations.read();
  await started;
  const identity = await accepted(token);
  assert.equal(authority.review(identity), identity);
  const before = changes();
  revocations.read({ kind: "token", value: "7", issuedBefore: 0, until: Number.MAX_SAFE_INTEGER });
  assert.equal(changes(), before + 1);
  assert.equal(authority.review(identity), undefined);
  const late = await authority.authenticate(token);
  assert.ok("refused" in late && late.refused === "invalid_token" && late.reason === "revoked");
  await accepted(await sign({ jti: "8" }));
});

test("a start without revocations ends after two seconds, and accepts no token", async (t) => {
  const { authority } = open(t, { revocations: new ManualRevocations() });
  const before = performance.now();
  await authority.start();
  assert.ok(performance.now() - before > 1_900);
  assert.ok("refused" in (await authority.authenticate(await sign())));
});

test("roles that the policy does not have are counted once a token, and logged without its subject", async (t) => {
  const roles = { desk: { grants: [grant("A")] }, anonymous: { grants: [grant("B")] } };
  const { authority, counts, lines, accepted, rewrite } = open(t, { roles });
  const identity = await accepted(await sign({ roles: ["desk", "boss", "boss", "anonymous", "x".repeat(100)] }));
  assert.deepEqual(identity.roles, ["desk"]);
  assert.equal(counts.unknownRoles, 3);
  const logged = lines.filter(({ msg }) => msg === "a token names a role that the policy does not have");
  assert.deepEqual(
    logged.map(({ role }) => role),
    ["boss", "anonymous", "x".repeat(64)],
  );
  assert.ok(!JSON.stringify(lines).includes("ann"));
  rewrite({ other: { grants: [] } });
  authority.review(identity);
  assert.equal(counts.unknownRoles, 3);
});

test("a changed policy makes new identities where it concerns them, and only there; a bad one does not", async (t) => {
  const roles = { desk: { grants: [grant("A")], connections: 2 }, sales: { grants: [grant("B", { delay: 500 })] } };
  const { authority, accepted, rewrite, changes, lines } = open(t, { mode: "optional", roles });
  const [desk, both] = [
    await accepted(await sign({ roles: "desk" })),
    await accepted(await sign({ roles: "desk sales" })),
  ];
  const { anonymous } = authority;
  assert.ok(anonymous && !sees(anonymous, "A"));
  assert.deepEqual([desk.maxConnections, both.maxConnections], [2, Number.POSITIVE_INFINITY]);
  assert.equal(authority.longestDelay("quote", "B"), 500);
  rewrite({ ...roles, sales: { grants: [grant("C")] } });
  assert.equal(authority.review(desk), desk);
  assert.equal(authority.review(anonymous), anonymous);
  const changed = authority.review(both);
  assert.ok(changed && sees(changed, "C") && !sees(changed, "B") && sees(changed, "A"));
  assert.equal(authority.longestDelay("quote"), 0);
  assert.equal(changes(), 1);
  rewrite({ desk: {} });
  assert.equal(changes(), 1);
  assert.equal(authority.review(desk), desk);
  assert.deepEqual(
    lines.map(({ msg }) => msg),
    ["the policy has been read again", "the policy cannot be read: the last one stays in force"],
  );
  rewrite({ anonymous: { grants: [grant("A")] } });
  assert.ok(authority.anonymous && sees(authority.anonymous, "A"));
  assert.equal(authority.review(anonymous), authority.anonymous);
  assert.ok(!sees(authority.review(desk) as Identity, "A"));
});

test("grants of a token add to those of its roles; without a policy they are all that it may see", async (t) => {
  const own = { grants: [grant("B", { delay: 100 })] };
  const { accepted } = open(t, { roles: { desk: { grants: [grant("A"), grant("B", { delay: 900 })] } } });
  const identity = await accepted(await sign({ roles: ["desk"], ...own }));
  assert.deepEqual({ ...sees(identity, "A") }, { interval: 0, delay: 0 });
  assert.deepEqual({ ...sees(identity, "B") }, { interval: 0, delay: 100 });
  const free = open(t);
  assert.equal((await free.accepted(await sign({ roles: ["desk"] }))).entitlements.allowsAll, true);
  const limited = await free.accepted(await sign(own));
  assert.deepEqual([sees(limited, "A"), sees(limited, "B")?.delay], [undefined, 100]);
});

test("identities of the same roles share their entitlements", async (t) => {
  const { accepted } = open(t, { roles: { desk: { grants: [grant("A")] } } });
  const [one, other] = [
    await accepted(await sign({ roles: "desk" })),
    await accepted(await sign({ sub: "bob", roles: ["desk"] })),
  ];
  assert.equal(one.entitlements, other.entitlements);
});
