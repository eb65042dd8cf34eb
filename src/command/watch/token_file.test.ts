import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { UsageError } from "../../settings/option.ts";
import { RENEWAL_TIME, TokenFile } from "./token_file.ts";

test("a refused token is not presented again, another one is; without one in ten minutes it gives up", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tickgate-token-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "token");
  assert.throws(() => new TokenFile(path), UsageError);
  let now = 0;
  writeFileSync(path, "first\n");
  const file = new TokenFile(path, () => now);
  assert.equal(file.token(), "first");
  assert.equal(file.lost("the gateway is restarting (1012)"), false);
  now += 2 * RENEWAL_TIME;
  assert.equal(file.token(), "first", "a loss for another reason says nothing about the token");
  let refused = "first";
  for (const reason of ["Unexpected server response: 401", "the token has expired (4401)", "no (4403)"]) {
    assert.equal(file.lost(reason), false);
    assert.throws(() => file.token(), {
      message: `the gateway has refused the token in ${path}, which has not changed`,
    });
    now += RENEWAL_TIME - 1;
    assert.equal(file.lost("no token: …"), false);
    refused += "+";
    writeFileSync(path, refused);
    assert.equal(file.token(), refused);
    now += 1;
    assert.equal(file.lost("cut"), false, "the other one is not refused yet");
  }
  file.lost("Unexpected server response: 401");
  now += RENEWAL_TIME;
  assert.throws(() => file.token());
  assert.equal(file.lost("no token: …"), true);
});
