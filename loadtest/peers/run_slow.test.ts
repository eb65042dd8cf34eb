/** A minimal run of each installed peer: it starts, publishes, delivers and ends. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { UsageError } from "../../src/settings/option.ts";
import { PEERS } from "./peers.ts";
import { measurePeer, measureTogether } from "./run.ts";

const SCENARIO = { name: "tiny", title: "tiny", connections: 4, perConnection: 5, symbols: 10, rate: 200, slow: 1 };
const MEASURE = {
  // One core for both sides: there may be no other.
  ...{ cores: { server: "0", load: "0" }, warmSeconds: 0.1, seconds: 1, freshBound: 60_000, slowBytes: 20_000 },
};
const canPin = spawnSync("taskset", ["-c", "0", "true"]).status === 0;

for (const peer of PEERS) {
  // The same program as with interval 0.
  if (peer.name === "tickgate-100") continue;
  const missing = canPin ? peer.missing() : "taskset is missing, or core 0 may not be used";
  test(`${peer.title}: fresh updates arrive, no connection is refused, no message is invalid`, {
    skip: missing,
  }, async () => {
    const result = await measurePeer(peer, SCENARIO, MEASURE);
    assert.deepEqual([result.refused, result.closed, result.faults], [0, 0, []]);
    assert.equal(result.offered, 400);
    assert.ok(result.fresh > 0, `${result.fresh} fresh updates/s`);
    assert.ok(result.late === 0 && result.p50 > 0 && result.p50 <= result.p99 && result.p99 <= result.p999);
    assert.ok(result.memory > 1_000_000 && result.bytesPerUpdate > 30);
  });
}

test("several peers at once: each has its own clients and its own result", { skip: !canPin }, async () => {
  const peers = PEERS.filter(({ name }) => name.endsWith("-embedded"));
  const results = await measureTogether(peers, SCENARIO, MEASURE);
  assert.equal(results.length, 2);
  for (const { fresh, refused, closed, faults, otherProgramCores, serverCores } of results) {
    assert.deepEqual([refused, closed, faults], [0, 0, []]);
    assert.ok(fresh > 0 && fresh <= 500, `${fresh} fresh updates/s, of 400 offered`);
    assert.ok(serverCores > 0 && otherProgramCores < 2);
  }
});

test("the error for a peer that does not start has its output", async () => {
  const broken = {
    ...PEERS[0],
    start: (stage: Parameters<(typeof PEERS)[0]["start"]>[0]) => {
      const started = stage.start("the broken one", "server", process.execPath, ["-e", "console.log('no such luck')"]);
      return started.waitForOutput(/listening/).then(() => assert.fail());
    },
  };
  await assert.rejects(
    measurePeer(broken, SCENARIO, MEASURE),
    (error) => error instanceof UsageError && /the broken one has ended; its output: no such luck/.test(error.message),
  );
});
