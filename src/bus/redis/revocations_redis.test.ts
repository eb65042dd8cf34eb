/** The list of revocations in a real Redis: how it is merged, ended, refused and read. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { busSettings, until } from "../../../test/support/bus_bench.ts";
import { logLines } from "../../../test/support/log_lines.ts";
import { RedisServer } from "../../../test/support/redis_server.ts";
import { type Clock, SystemClock } from "../../base/clock.ts";
import type { Revocation } from "../bus.ts";
import { type BusSettings, openBus } from "../open.ts";
import { MOST_REVOCATIONS } from "./revocations.ts";

const HOUR = 3_600_000_000;
const LIST = "tickgate:{revoked}:list";
const VERSION = "tickgate:{revoked}:version";
const system = new SystemClock();

async function openRedis(t: TestContext) {
  const redis = await RedisServer.start();
  t.after(() => redis.stop());
  const client = redis.client();
  t.after(() => client.disconnect());
  const list = async () => JSON.parse((await client.get(LIST)) ?? "[]") as Revocation[];
  return { redis, client, list };
}

function openRevocations(t: TestContext, url: string, own: Partial<BusSettings> = {}, clock: Clock = system) {
  const { log, messages } = logLines();
  const bus = openBus(busSettings(url, own), clock, log);
  t.after(() => bus.close());
  const revocations = bus.revocations();
  assert.ok(revocations);
  return { revocations, bus, messages, isUp: () => until("Redis is up", () => bus.links()[0].isUp) };
}

const subject = (value: string, issuedBefore: number, end: number): Revocation => ({
  kind: "subject",
  value,
  issuedBefore,
  until: end,
});

test("of two of one subject the later and longer counts, whichever comes first", async (t) => {
  const { redis, list } = await openRedis(t);
  const { revocations, isUp } = openRevocations(t, redis.url);
  await isUp();
  const now = await revocations.now();
  // Redis writes numbers with 14 digits.
  const [soon, late] = [now + HOUR, now + 9 * HOUR].map((time) => Math.round(time / 1e6) * 1e6);
  for (const [name, order] of [
    ["ann", [soon, late]],
    ["bob", [late, soon]],
  ] as const) {
    const [first, second] = order;
    assert.equal(await revocations.add(subject(name, 5, first)), true);
    assert.equal(await revocations.add(subject(name, 7, second)), true);
    assert.equal(await revocations.add(subject(name, 6, soon)), true);
  }
  // The same text as a token's id is another one.
  assert.equal(await revocations.add({ ...subject("ann", 0, soon), kind: "token" }), true);
  const expected = [subject("ann", 7, late), subject("bob", 7, late), { ...subject("ann", 0, soon), kind: "token" }];
  assert.deepEqual(await list(), expected);
});

test("a full list takes what it has already, and nothing else until one has ended by Redis' clock", async (t) => {
  const { redis, client, list } = await openRedis(t);
  // A clock that is a year ahead: for it all have ended.
  const ahead = Object.assign(new SystemClock(), { micros: () => system.micros() + 8_784 * HOUR });
  const { revocations, isUp } = openRevocations(t, redis.url, {}, ahead);
  await isUp();
  const now = await revocations.now();
  assert.ok(Math.abs(now - Date.now() * 1_000) < 5_000_000, `${now}`);
  const full = Array.from({ length: MOST_REVOCATIONS }, (_, index) => subject(`s${index}`, 1, now + HOUR));
  await client.set(LIST, JSON.stringify(full));
  assert.equal(await revocations.add(subject("ann", 1, now + HOUR)), false);
  assert.equal(await client.get(VERSION), null);
  assert.equal(await revocations.add(subject("s7", 2, now + HOUR)), true);
  assert.equal((await list()).length, MOST_REVOCATIONS);
  await client.set(LIST, JSON.stringify([subject("s0", 1, now), ...full.slice(1)]));
  assert.equal(await revocations.add(subject("ann", 1, now + HOUR)), true);
  assert.equal((await list()).length, MOST_REVOCATIONS);
});

test("they are not known before they have been read, and stay known; a list that is none is not taken", async (t) => {
  const { redis, client } = await openRedis(t);
  const { revocations, messages } = openRevocations(t, redis.url);
  let known: readonly Revocation[] | undefined;
  revocations.watch((all) => {
    known = all;
  });
  assert.equal(revocations.isKnown, false);
  await until("the empty list is read", () => revocations.isKnown);
  assert.deepEqual(known, []);
  const ann = subject("ann", 1, system.micros() + HOUR);
  await client.mset(LIST, JSON.stringify([ann]), VERSION, "a");
  await until("one is read", () => known?.length === 1);
  const failures = () => messages().filter((text) => text.endsWith("the last ones stay in force")).length;
  const wrong = ["{", "[7]", JSON.stringify([{ ...ann, kind: "all", issuedBefore: null }])];
  for (const [index, text] of wrong.entries()) {
    await client.mset(LIST, text, VERSION, `wrong ${index}`);
    await until(`${text} is refused`, () => failures() === index + 1);
    assert.deepEqual(known, [ann]);
    known = undefined;
    await client.mset(LIST, JSON.stringify([ann]), VERSION, `good ${index}`);
    await until("a good list is read", () => known?.length === 1);
  }
  await redis.kill();
  await until("Redis is lost", () => messages().some((text) => text.startsWith("Redis is lost")));
  assert.equal(revocations.isKnown, true);
});

test("a user who may not read them does not know them, and it is said; once it may, it does", async (t) => {
  const { redis, client } = await openRedis(t);
  await client.call("ACL", "SETUSER", "gateway", "on", ">secret", "~other:*", "+@connection", "+info", "+time", "+get");
  const user = { redisUsername: "gateway", redisPassword: "secret" };
  const { revocations, messages } = openRevocations(t, redis.url, user);
  revocations.watch(() => {});
  const text = "the revocations of tokens cannot be read: no token is accepted";
  await until("it is said", () => messages().includes(text));
  assert.equal(revocations.isKnown, false);
  await client.call("ACL", "SETUSER", "gateway", "~tickgate:*");
  await until("they are read", () => revocations.isKnown, 3_000);
});
