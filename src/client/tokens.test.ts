/** Tokens of a client whose gateway is the test: what is presented when, and what happens when that fails. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSocket, fakeClient, settled } from "../../test/support/fake_connection.ts";
import type { ClientOptions } from "./client.ts";

const PARTS = ["A", "B", "C"];

/** A connected client, and a way to read the `auth` commands since the last time. */
async function connected(token: () => unknown) {
  const fake = fakeClient({ token: token as () => string });
  fake.client.connect();
  await settled();
  FakeSocket.last.hello();
  const auths = async () => {
    await settled();
    return FakeSocket.last.takeCommands().filter(({ op }) => op === "auth");
  };
  return { ...fake, auths };
}

const expire = (symbols: string[], more?: true) =>
  FakeSocket.last.say({ op: "unsubscribed", symbols, reason: "expired", ...(more && { more }) });
const refuse = (id: unknown) =>
  FakeSocket.last.say({ op: "error", id, code: "invalid_token", message: "no", retryable: false });
const accept = (id: unknown) => FakeSocket.last.say({ op: "authenticated", id, subject: "ann", expires: null });

test("an expiry in several parts, and a warning before it, are one refresh", async () => {
  let calls = 0;
  const { auths, time } = await connected(() => `t${++calls}`);
  assert.deepEqual(FakeSocket.last.protocols.at(-1), "bearer.t1");
  FakeSocket.last.say({ op: "expiring", in: 1 });
  for (const symbol of PARTS) expire([symbol], true);
  expire(["D"]);
  const [auth, ...more] = await auths();
  assert.deepEqual([auth.token, more, calls], ["t2", [], 2]);
  expire(["E"]);
  assert.deepEqual(await auths(), [], "its answer has not come yet");
  accept(auth.id);
  time.advance(600);
  assert.equal(time.timers, 1, "only the watch for silence");
  FakeSocket.last.say({ op: "expiring", in: 1 });
  assert.equal((await auths())[0].token, "t3");
});

test("a refresh that the gateway refuses is tried again, later each time, until one is accepted", async () => {
  let calls = 0;
  const { auths, time, events } = await connected(() => `t${++calls}`);
  FakeSocket.last.say({ op: "expiring", in: 60_000 });
  const waits: number[] = [];
  for (let attempt = 0; attempt < 6; attempt++) {
    const [auth, ...more] = await auths();
    assert.deepEqual([auth.token, more], [`t${attempt + 2}`, []]);
    refuse(auth.id);
    let wait = 0;
    for (; calls === attempt + 2 && wait < 60_000; wait += 500) {
      FakeSocket.last.say({ op: "heartbeat", time: 1 });
      time.advance(500);
    }
    waits.push(wait);
    refuse(auth.id);
  }
  assert.deepEqual(waits, [2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  accept((await auths())[0].id);
  assert.equal(events.filter((event) => event === "error invalid_token").length, 12, "each answer is reported");
  // Afterwards a failure is a first one again.
  FakeSocket.last.say({ op: "expiring", in: 60_000 });
  refuse((await auths())[0].id);
  time.advance(1_999);
  assert.deepEqual(await auths(), []);
  time.advance(1);
  assert.equal((await auths()).length, 1);
});

test("the refusal of another command does not end a refresh", async () => {
  const { auths, time } = await connected(() => "t");
  FakeSocket.last.say({ op: "expiring", in: 60_000 });
  assert.equal((await auths()).length, 1);
  for (const id of [undefined, 1, 0]) refuse(id);
  time.advance(2_500);
  assert.deepEqual(await auths(), []);
});

test("a token that does not come within ten seconds, or has no answer, is a failure", async () => {
  let release = (_token: string) => {};
  let isSlow = false;
  const { auths, client, time, events } = await connected(() =>
    isSlow ? new Promise<string>((resolve) => (release = resolve)) : "quick",
  );
  const pass = (millis: number) => {
    for (let passed = 0; passed < millis; passed += 500) {
      FakeSocket.last.say({ op: "heartbeat", time: 1 });
      time.advance(500);
    }
  };
  isSlow = true;
  FakeSocket.last.say({ op: "expiring", in: 60_000 });
  pass(9_500);
  assert.ok(!events.includes("error invalid_token"));
  pass(500);
  assert.equal(events.at(-1), "error invalid_token");
  release("late");
  assert.deepEqual(await auths(), [], "it comes too late");
  isSlow = false;
  pass(2_000);
  assert.equal((await auths())[0].token, "quick");
  pass(10_000 + 4_000);
  assert.equal((await auths())[0].token, "quick", "there was no answer");
  assert.equal(client.connection.phase, "open");
});

for (const [name, token] of [
  ["the next attempt, after a refusal", () => "t"],
  ["the next attempt, after an error", () => Promise.reject(new Error("away"))],
  ["a token", () => new Promise<string>(() => {})],
  ["an error", () => Promise.reject(new Error("late"))],
] as const)
  test(`close() ends a refresh that waits for ${name}`, async () => {
    let isRefresh = false;
    const { auths, client, time, events } = await connected(() => (isRefresh ? token() : "t"));
    isRefresh = true;
    FakeSocket.last.say({ op: "expiring", in: 60_000 });
    if (name.startsWith("the next")) for (const { id } of await auths()) refuse(id);
    client.close();
    assert.equal(time.timers, 0);
    const before = [...events];
    await settled();
    time.advance(100_000);
    await settled();
    assert.deepEqual([time.timers, events], [0, before]);
  });

test("what is no token is not offered, and reported: to connect, and as another one", async () => {
  for (const wrong of ["", undefined, null, 7, "two words", "a,b", "line\n"]) {
    let given: unknown = wrong;
    const { client, time, events } = fakeClient({ token: (() => given) as () => string });
    client.connect();
    await settled();
    const text = "no token: TypeError: not a token";
    assert.deepEqual(events, ["connecting", `waiting: ${text}`, "error invalid_token"], String(wrong));
    assert.equal(FakeSocket.all.length, 0);
    given = "t";
    time.advance(500);
    await settled();
    assert.deepEqual(FakeSocket.last.protocols.slice(2), ["bearer.t"]);
    FakeSocket.last.hello();
    given = wrong;
    FakeSocket.last.say({ op: "expiring", in: 60_000 });
    await settled();
    assert.equal(events.at(-1), "error invalid_token");
    assert.deepEqual(FakeSocket.last.takeCommands(), []);
    client.close();
  }
});

test("a refusal for the token ends a client whose token cannot change; any other final refusal ends both", async () => {
  const refusals: [string, () => void, boolean][] = [];
  for (const code of [4401, 4403, 4400, 1009])
    refusals.push([String(code), () => FakeSocket.last.drop(code, "no"), code > 4400]);
  const options: [ClientOptions, boolean][] = [
    [{ token: "t" }, false],
    [{ token: () => "t" }, true],
    [{}, false],
  ];
  for (const [name, refuseIt, isForToken] of refusals)
    for (const [option, canChange] of options) {
      const { client, time } = fakeClient(option);
      client.on("error", () => {});
      client.connect();
      await settled();
      refuseIt();
      const wanted = isForToken && canChange ? "waiting" : "ended";
      assert.equal(client.connection.phase, wanted, `${name} ${typeof option.token}`);
      assert.equal(time.timers, wanted === "waiting" ? 1 : 0);
    }
});

test("a token that cannot change is presented again on the next connection, and never replaced", async () => {
  const { client, time } = fakeClient({ token: "t" });
  client.connect();
  await settled();
  FakeSocket.last.hello();
  FakeSocket.last.say({ op: "expiring", in: 60_000 });
  await settled();
  assert.deepEqual(FakeSocket.last.takeCommands(), []);
  FakeSocket.last.drop(1006);
  time.advance(500);
  await settled();
  assert.deepEqual([FakeSocket.all.length, FakeSocket.last.protocols.at(-1)], [2, "bearer.t"]);
});

test("a client that is closed when it begins to connect makes no connection", async () => {
  for (const options of [{}, { token: () => "t" }] as ClientOptions[]) {
    const { client, time } = fakeClient(options);
    client.on("connection", ({ phase }) => phase === "connecting" && client.close());
    client.connect();
    await settled();
    assert.deepEqual([FakeSocket.all.length, time.timers, client.state], [0, 0, "closed"]);
  }
});

test("to connect, a token that does not come within ten seconds counts as a failed attempt", async () => {
  let release = (_token: string) => {};
  const token = () => new Promise<string>((resolve) => (release = resolve));
  const { client, time } = fakeClient({ token });
  client.connect();
  time.advance(10_000);
  assert.equal(client.connection.phase, "waiting");
  release("late");
  await settled();
  assert.equal(FakeSocket.all.length, 0, "it comes too late");
  time.advance(500);
  release("quick");
  await settled();
  assert.equal(FakeSocket.all.length, 1);
});
