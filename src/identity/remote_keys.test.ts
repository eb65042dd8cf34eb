/** When keys at an address are fetched, how often, and what becomes of tokens meanwhile. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { logLines } from "../../test/support/log_lines.ts";
import { Issuer } from "../../test/support/tokens.ts";
import { ManualClock } from "../base/clock.ts";
import { fetchText } from "./key_address.ts";
import { KeysUnavailable } from "./key_source.ts";
import { ReadCounts } from "./read_counts.ts";
import { RemoteKeys } from "./remote_keys.ts";

const UNKNOWN = { alg: "ES256", kid: "unknown" };

async function open(t: TestContext, fetchSet?: () => Promise<string>) {
  const issuer = await Issuer.open();
  t.after(() => issuer.close());
  const clock = new ManualClock();
  const counts = new ReadCounts();
  const { log, messages } = logLines();
  const keys = new RemoteKeys(fetchSet ?? (() => fetchText(issuer.keysAddress)), clock, log, counts);
  t.after(() => keys.close());
  /** Lets time pass, and a fetch that is due end. @returns the requests that the issuer got */
  const pass = async (millis: number) => {
    const before = issuer.requests;
    clock.advance(millis);
    await keys.maintain();
    return issuer.requests - before;
  };
  const headerOf = async (token: string) =>
    JSON.parse(Buffer.from(token.split(".")[0], "base64url").toString()) as { alg: string; kid: string };
  return { issuer, clock, counts, keys, pass, messages, header: async () => headerOf(await issuer.sign()) };
}

test("keys are fetched at the start and every ten minutes; withdrawn ones are gone then", async (t) => {
  const { issuer, clock, counts, keys, pass, header } = await open(t);
  await keys.start();
  const [first, readAt] = [await header(), counts.readAt];
  await keys.find(first);
  await issuer.rotate();
  assert.equal(await pass(599_999), 0);
  await keys.find(first);
  assert.equal(await pass(1), 1);
  await keys.find(await header());
  assert.deepEqual([readAt, counts.readAt], [0, clock.millis()]);
  await assert.rejects(keys.find(first), { code: "ERR_JWKS_NO_MATCHING_KEY" });
});

test("an unknown key causes a fetch, but not two within two seconds, whoever asks", async (t) => {
  const { issuer, clock, keys, header } = await open(t);
  await keys.start();
  await issuer.rotate();
  const next = await header();
  await assert.rejects(keys.find(next), { code: "ERR_JWKS_NO_MATCHING_KEY" });
  assert.equal(issuer.requests, 1);
  clock.advance(2_000);
  await Promise.all([keys.find(next), assert.rejects(keys.find(UNKNOWN)), keys.find(next)]);
  assert.equal(issuer.requests, 2);
  await assert.rejects(keys.find(UNKNOWN), { code: "ERR_JWKS_NO_MATCHING_KEY" });
  assert.equal(issuer.requests, 2);
});

test("while the address is away the last keys stay, and it is asked less and less often, a minute apart at most", async (t) => {
  const { issuer, counts, keys, pass, messages, header } = await open(t);
  await keys.start();
  const known = await header();
  issuer.isUp = false;
  assert.equal(await pass(600_000), 1);
  for (const pause of [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
    assert.equal(await pass(pause - 1), 0, `${pause}`);
    assert.equal(await pass(1), 1, `${pause}`);
    await keys.find(known);
  }
  assert.deepEqual([counts.failures, counts.failingSince, counts.readAt], [8, 600_000, 0]);
  issuer.isUp = true;
  assert.equal(await pass(60_000), 1);
  assert.equal(counts.failingSince, undefined);
  assert.equal(
    messages().filter((text) => text === "the keys of tokens cannot be fetched: the last ones stay").length,
    8,
  );
  assert.equal(messages().at(-1), "the keys of tokens are fetched again");
  // The next failure is the first one again.
  issuer.isUp = false;
  assert.equal(await pass(600_000), 1);
  assert.equal(await pass(2_000), 1);
});

test("without any keys a token cannot be verified, until they come", async (t) => {
  const { issuer, counts, keys, pass, messages, header } = await open(t);
  issuer.isUp = false;
  await keys.start();
  const known = await header();
  await assert.rejects(keys.find(known), KeysUnavailable);
  assert.deepEqual([counts.readAt, counts.failingSince, issuer.requests], [undefined, 0, 1]);
  assert.deepEqual(messages(), ["the keys of tokens cannot be fetched"]);
  issuer.isUp = true;
  await pass(2_000);
  await keys.find(known);
});

test("a set that cannot be used leaves the last keys in use", async (t) => {
  const issuer = await Issuer.open();
  t.after(() => issuer.close());
  let text = issuer.keySet;
  const { keys, pass, messages } = await open(t, async () => text);
  await keys.start();
  const { kid, alg } = JSON.parse(issuer.keySet).keys[0];
  const wrong = [
    "",
    "null",
    "[]",
    '{"keys":{}}',
    '{"keys":[7]}',
    '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}',
    '{"keys":[{"kty":"EC","crv":"P-256","x":"x","y":"y","d":"d"}]}',
    JSON.stringify({ keys: new Array(101).fill({ kty: "EC" }) }),
  ];
  for (const each of wrong) {
    text = each;
    await pass(600_000);
    await keys.find({ kid, alg });
  }
  assert.deepEqual(
    messages(),
    wrong.map(() => "the keys of tokens cannot be fetched: the last ones stay"),
  );
});

test("100 tokens wait for a fetch, and no more; those with known keys do not wait", async (t) => {
  const issuer = await Issuer.open();
  t.after(() => issuer.close());
  let answer = (_text: string) => {};
  let isFirst = true;
  const { keys, clock } = await open(t, async () => {
    if (isFirst) return issuer.keySet;
    return new Promise((resolve) => (answer = resolve));
  });
  await keys.start();
  isFirst = false;
  clock.advance(2_000);
  const waiting = Array.from({ length: 100 }, () =>
    assert.rejects(keys.find(UNKNOWN), { code: "ERR_JWKS_NO_MATCHING_KEY" }),
  );
  // Each has found that its key is not known.
  await new Promise(setImmediate);
  await assert.rejects(keys.find(UNKNOWN), KeysUnavailable);
  const { kid, alg } = JSON.parse(issuer.keySet).keys[0];
  await keys.find({ kid, alg });
  answer(issuer.keySet);
  await Promise.all(waiting);
  clock.advance(2_000);
  isFirst = true;
  await assert.rejects(keys.find(UNKNOWN), { code: "ERR_JWKS_NO_MATCHING_KEY" });
});
