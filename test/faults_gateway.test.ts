/** Gateways that end or hang, with real processes: one is killed, and all are restarted one after the other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CpuSteal } from "../loadtest/cpu_steal.ts";
import { waitUntil } from "../scripts/cluster/probe.ts";
import { BUSY, CONVERGE, FaultMarket, PATIENCE } from "./support/fault_market.ts";

test("a gateway is killed: its clients reconnect to another", { timeout: 60_000 }, async (t) => {
  const market = await FaultMarket.open(t);
  await market.follow(30, [0, 100, 250]);
  const [victim] = market.cluster.gateways;
  const itsClients = market.followers.filter((follower) => follower.node === victim.name);
  assert.ok(itsClients.length >= 5, `the balancer spreads clients: ${itsClients.length} of 30 are here`);

  await victim.kill();
  const areElsewhere = () => itsClients.every(({ node }) => node !== undefined && node !== victim.name);
  assert.ok(await waitUntil(areElsewhere, CONVERGE), "its clients are at other gateways");
  await victim.start();
  assert.ok(await market.cluster.untilServed(PATIENCE), "the balancer uses it again");
  for (const follower of market.followers) {
    assert.ok(follower.longestGap < 2_000, `${follower.longestGap} ms without prices`);
    assert.ok(follower.refused <= 1, `refused ${follower.refused} times`);
  }
  await market.assertConverged();
  market.assertUnbroken();
});

test("a rolling restart under 1,000 connections", { timeout: 90_000 }, async (t) => {
  const market = await FaultMarket.open(t);
  const given = new CpuSteal();
  const from = performance.now();
  await market.follow(1_000, [250], BUSY.slice(0, 20));
  const opening = performance.now() - from;
  for (const gateway of market.cluster.gateways) {
    await gateway.stop();
    await gateway.start();
    assert.ok(await market.cluster.untilServed(PATIENCE), `${gateway.name} is served again`);
  }
  const longest = Math.max(...market.followers.map((follower) => follower.longestGap));
  const refused = Math.max(...market.followers.map((follower) => follower.refused));
  const { grantedShare: share } = given;
  t.diagnostic(`longest without prices: ${Math.round(longest)} ms; most refusals of one client: ${refused}`);
  t.diagnostic(`the host gave ${Math.round(share * 100)} % of the time; to open all took ${Math.round(opening)} ms`);
  // If the machine needs over a second to accept so many clients of one process, that is not the gateways' fault.
  const slowness = Math.max(0, opening - 1_000);
  assert.ok(longest < (2_000 + slowness) / share, `${longest} ms without prices`);
  assert.ok(refused <= 1, `one client was refused ${refused} times`);
  const moved = market.followers.filter((follower) => follower.connections > 1).length;
  assert.equal(moved, 1_000, "all clients have moved");
  await market.assertConverged();
  market.assertUnbroken();
});

test("a gateway refuses a client: the balancer tries another, and the client does not notice", {
  timeout: 60_000,
}, async (t) => {
  const market = await FaultMarket.open(t, { TICKGATE_MAX_CONNECTIONS: "20" });
  const [full] = market.cluster.gateways;
  const direct = `${market.cluster.gatewayUrl(0).replace("http", "ws")}/v1/stream`;
  await market.followAt(direct, 20, [100]);
  // They bypass the balancer, so this gateway seems the emptiest.
  await market.follow(20, [100]);
  const late = market.followers.slice(20);
  assert.deepEqual(
    late.filter((follower) => follower.node === full.name || follower.refusedEver > 0),
    [],
  );
  await market.assertConverged();
  market.assertUnbroken();
});

test("a gateway hangs: new clients are served by another, and its own continue when it does", {
  timeout: 60_000,
}, async (t) => {
  const market = await FaultMarket.open(t);
  await market.follow(15, [100]);
  const [hung] = market.cluster.gateways;
  hung.signal("SIGSTOP");
  await market.follow(15, [100]);
  const late = market.followers.slice(15);
  assert.equal(late.filter((follower) => follower.node === hung.name || follower.refusedEver > 0).length, 0);

  hung.signal("SIGCONT");
  await market.assertConverged();
  market.assertUnbroken();
  assert.ok(
    market.followers.every((follower) => follower.connections === 1),
    "no connection was closed",
  );
});
