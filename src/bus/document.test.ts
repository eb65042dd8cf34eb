/** docs/bus.md shows the scripts: they must be the ones that run. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ACQUIRE, FENCE, HOLD, RELEASE, WRITE } from "./redis/script.ts";

test("the page shows every script as it runs", () => {
  const page = readFileSync(new URL("../../docs/bus.md", import.meta.url), "utf8");
  const shown = [...page.matchAll(/```lua\n(.*?)```/gs)].map((match) => match[1].trim());
  assert.deepEqual(shown, [WRITE.lua, ACQUIRE.lua, HOLD.lua, RELEASE.lua, FENCE.lua]);
});
