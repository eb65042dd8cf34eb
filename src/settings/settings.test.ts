import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { SETTINGS, settingsOf } from "./settings.ts";

test("the table holds every setting of every subject's file, each under one name", async () => {
  const files = readdirSync(import.meta.dirname).filter((file) => file.endsWith("_settings.ts"));
  const names: string[] = [];
  for (const file of files) {
    const tables = Object.values((await import(`./${file}`)) as Record<string, object>);
    for (const table of tables) names.push(...Object.keys(table));
  }
  assert.ok(files.length > 5);
  assert.deepEqual(names.sort(), Object.keys(SETTINGS).sort());
});

test("no command has two settings of one flag, and no name in the environment sets two settings", () => {
  for (const command of ["all", "gateway", "feed", "watch", "play", "top", "trace"] as const) {
    const flags = settingsOf(command).map(([, { flag }]) => flag);
    assert.equal(new Set(flags).size, flags.length, command);
  }
  const names = Object.values(SETTINGS).map(({ env }) => env);
  assert.equal(new Set(names).size, names.length);
});
