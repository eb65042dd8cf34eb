/** Delayed data at a gateway process: late, marked, and replaced by live data on the same connection. */
import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { GatewayProcess, polled } from "./support/gateway_process.ts";
import { SECRET, sign } from "./support/tokens.ts";
import { WireClient } from "./support/wire_client.ts";

const DELAY = 1_500;
const POLICY = {
  roles: {
    anonymous: { grants: [{ symbols: ["V:*"], delay: DELAY }] },
    paying: { grants: [{ symbols: ["V:*"] }] },
  },
};

async function open(t: TestContext, interval: number) {
  const folder = mkdtempSync(join(tmpdir(), "tickgate-delayed-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "policy.json");
  const write = (policy: unknown) => {
    writeFileSync(`${path}.new`, JSON.stringify(policy));
    renameSync(`${path}.new`, path);
  };
  write(POLICY);
  const own = ["--auth", "optional", "--jwt-secret", SECRET, "--policy", path, "--delay-sample-interval", "100"];
  const gateway = await GatewayProcess.open(...own);
  t.after(() => gateway.close());
  // The value is the time of its publication, so no publisher's clock is needed.
  let count = 0;
  const ticking = setInterval(() => {
    gateway.tick("V:A", { bid: Date.now() });
    if (++count % 5 === 0) gateway.tick("V:B", { bid: Date.now() });
  }, interval);
  t.after(() => clearInterval(ticking));
  await polled(
    () => gateway.metric("tickgate_symbols"),
    (known) => known === 2,
    "both symbols",
  );
  return { gateway, write };
}

for (const interval of [0, 100])
  test(`at an interval of ${interval} ms no tick comes early, and a client with a new token continues live`, async (t) => {
    const { gateway, write } = await open(t, 20);
    const client = await WireClient.open(gateway.url);
    const live = await WireClient.open(gateway.url, "tickgate.v1.msgpack", {
      headers: { authorization: `Bearer ${await sign({ roles: ["paying"] })}` },
    });
    t.after(() => {
      for (const each of [client, live]) each.close();
    });
    const { delayed, symbols } = await client.ask({ op: "subscribe", symbols: ["V:A"], interval }, "subscribed");
    assert.deepEqual(delayed, [["V:A", DELAY]]);
    const handles = await live.subscribe(["V:*"], { interval });
    assert.equal(symbols[0][1], handles.get("V:A"), "the handle of the live row");
    assert.deepEqual(
      live.controls.flatMap((message) => ("delayed" in message ? [message.delayed] : [])),
      [],
    );
    await client.until(() => client.ticks.length > 20, "late ticks");
    const early = client.ticks.filter(
      ({ values, at }) => performance.timeOrigin + at - (values[0] as number) < DELAY - 5,
    );
    assert.deepEqual(early, []);
    for (const [index, { seq }] of client.ticks.entries())
      assert.ok(index === 0 || seq > client.ticks[index - 1].seq, "seq goes back");
    assert.equal(
      ((await (await gateway.get("/v1/ticks?symbols=V:A")).json()) as { ticks: { delay: number }[] }).ticks[0].delay,
      DELAY,
    );

    // With a token: the same handle, live.
    const lateSeq = client.ticks.at(-1)?.seq as number;
    await client.ask({ op: "auth", token: await sign({ roles: ["paying"] }) }, "authenticated");
    const moved = await client.heard("subscribed", ({ id }) => id === undefined);
    assert.deepEqual([moved.symbols, moved.delayed], [symbols, undefined]);
    const now = Date.now();
    const fresh = await client.tick(({ values }) => (values[0] as number) >= now, "a live tick");
    assert.ok(fresh.seq > lateSeq);
    // The policy delays it again: late ticks, and a smaller `seq` only after a reset.
    write({ roles: { ...POLICY.roles, paying: POLICY.roles.anonymous } });
    const back = await client.heard(
      "subscribed",
      (message) => message.delayed !== undefined && message.id === undefined,
    );
    assert.deepEqual(back.delayed, [["V:A", DELAY]]);
    const resets = () =>
      client.controls.filter((message) => message.op === "status" && message.reason === "reset").length;
    await client.until(() => resets() === 2, "the second reset");
    assert.ok(client.order.lastIndexOf("status") > client.order.lastIndexOf("subscribed"));
    const from = client.ticks.length;
    await client.until(() => client.ticks.length > from + 10, "late ticks again");
    for (const { values, at } of client.ticks.slice(from + 1))
      assert.ok(performance.timeOrigin + at - (values[0] as number) >= DELAY - 5);
  });

test("the feed's end is as late as its ticks", async (t) => {
  const { gateway } = await open(t, 50);
  const client = await WireClient.open(gateway.url);
  t.after(() => client.close());
  await client.subscribe(["V:*"]);
  await client.until(() => client.ticks.length > 5, "late ticks");
  gateway.endFeed();
  const ended = Date.now();
  await client.heard("status", ({ state }) => state === "closed");
  const time = Date.now() - ended;
  assert.ok(time >= DELAY - 100, `${time} ms`);
});
