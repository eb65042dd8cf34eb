/** The keys in a file that Kubernetes mounts: replaced, broken, and good again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { polled } from "../../test/support/gateway_process.ts";
import { logLines } from "../../test/support/log_lines.ts";
import { MountedFolder } from "../../test/support/mounted_folder.ts";
import { Issuer } from "../../test/support/tokens.ts";
import { SystemClock } from "../base/clock.ts";
import { KeyFile } from "./key_file.ts";
import { ReadCounts } from "./read_counts.ts";

test("keys that are replaced are used within seconds; where they cannot be, the last ones stay", async (t) => {
  const issuer = await Issuer.open();
  t.after(() => issuer.close());
  const mounted = new MountedFolder(t, { "keys.json": issuer.keySet });
  const { log, lines } = logLines();
  const counts = new ReadCounts();
  const keys = new KeyFile(mounted.path("keys.json"), new SystemClock(), log, counts);
  t.after(() => keys.close());
  await keys.start();
  const header = () => {
    const [{ kid, alg }] = JSON.parse(issuer.keySet).keys;
    return { kid, alg };
  };
  const logged = (msg: string) =>
    polled(
      async () => lines.at(-1)?.msg,
      (last) => last === msg,
      msg,
    );
  const first = header();
  await keys.find(first);
  mounted.replace({ "keys.json": "{" });
  await logged("the keys of tokens cannot be read: the last ones stay");
  await keys.find(first);
  assert.equal(counts.failures, 1);
  assert.ok(counts.failingSince);
  await issuer.rotate();
  mounted.replace({ "keys.json": issuer.keySet });
  await logged("the keys of tokens have been read again");
  await keys.find(header());
  await assert.rejects(keys.find(first), { code: "ERR_JWKS_NO_MATCHING_KEY" });
  assert.equal(counts.failingSince, undefined);
});
