/** docs/bus/ has the scripts as files for publishers in other languages: they must be the ones that run. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { ACQUIRE, FENCE, HOLD, RELEASE, WRITE } from "./redis/script.ts";

const FOLDER = new URL("../../docs/bus/", import.meta.url);
const SCRIPTS = {
  "acquire.lua": ACQUIRE,
  "fence.lua": FENCE,
  "keep.lua": HOLD,
  "release.lua": RELEASE,
  "write.lua": WRITE,
};

test("each script in docs/bus/ is the one that runs, and docs/bus.md links to it", () => {
  assert.deepEqual(readdirSync(FOLDER).toSorted(), Object.keys(SCRIPTS));
  const page = readFileSync(new URL("../bus.md", FOLDER), "utf8");
  for (const [name, { lua }] of Object.entries(SCRIPTS)) {
    assert.equal(readFileSync(new URL(name, FOLDER), "utf8").trim(), lua, name);
    assert.ok(page.includes(`(bus/${name})`), name);
  }
});
