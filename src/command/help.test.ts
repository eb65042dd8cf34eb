import assert from "node:assert/strict";
import { test } from "node:test";
import { ADAPTERS } from "../feed/adapters.ts";
import type { CommandName } from "../settings/setting.ts";
import { settingsOf } from "../settings/settings.ts";
import { commandHelp, overview } from "./help.ts";

const COMMANDS: readonly CommandName[] = ["all", "gateway", "feed", "watch", "play"];

test("the overview names every command", () => {
  for (const command of COMMANDS) assert.match(overview(), new RegExp(`^  ${command} `, "m"));
});

test("a command's help has each of its settings, with the environment's name and the range, in 100 columns", () => {
  for (const command of COMMANDS) {
    const help = commandHelp(command);
    const flat = help.replace(/\s+/g, " ");
    for (const [, { flag, env, kind }] of settingsOf(command)) {
      assert.match(help, new RegExp(`^  --${flag}( .*)?   \\[${env}\\]$`, "m"), `${command} --${flag}`);
      assert.ok(flat.includes(`Must be ${kind.range}`), `${command} --${flag}`);
    }
    for (const line of help.split("\n")) assert.ok(line.length <= 120, line);
  }
});

test("commands with feeds tell every adapter and its options", () => {
  for (const adapter of ADAPTERS) {
    assert.ok(commandHelp("feed").includes(`  ${adapter.name}:`));
    for (const option of Object.keys(adapter.options)) assert.ok(commandHelp("all").includes(`${option}=`), option);
  }
  assert.ok(!commandHelp("gateway").includes("sim:"));
});
