import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readSettings } from "./command_line.ts";
import { UsageError } from "./option.ts";
import { SETTINGS, settingsOf } from "./settings.ts";

const folder = mkdtempSync(join(tmpdir(), "tickgate-settings-"));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

function settingsFile(content: string): string {
  const path = join(folder, `${files++}.json`);
  writeFileSync(path, content);
  return path;
}

function refused(read: () => unknown, message: RegExp): void {
  assert.throws(read, (error) => error instanceof UsageError && message.test(error.message), String(message));
}

test("a flag counts before the environment, the environment before the file, the file before the default", () => {
  const config = settingsFile('{"port": 1, "admin-port": 2, "heartbeat": 3000}');
  const env = { TICKGATE_PORT: "11", TICKGATE_ADMIN_PORT: "12" };
  const { settings } = readSettings("all", ["--config", config, "--port", "21"], env);
  assert.equal(settings.port, 21);
  assert.equal(settings.adminPort, 12);
  assert.equal(settings.heartbeat, 3_000);
  assert.equal(settings.interval, SETTINGS.interval.default);
});

test("the file can be named in the environment", () => {
  const { settings } = readSettings("all", [], { TICKGATE_CONFIG: settingsFile('{"port": 7}') });
  assert.equal(settings.port, 7);
});

test("the last of two flags counts; those of a list are all taken", () => {
  const args = ["--port", "1", "--port=2", "--feed", "sim:", "--feed", "ndjson:-"];
  const { settings } = readSettings("all", args, { TICKGATE_FEEDS: "sim:?seed=9" });
  assert.equal(settings.port, 2);
  assert.deepEqual(settings.feeds, ["sim:", "ndjson:-"]);
});

test("feeds in the environment are separated by spaces, semicolons or lines", () => {
  const { settings } = readSettings("feed", [], { TICKGATE_FEEDS: "coinbase:BTC-USD,ETH-USD;sim:\n ndjson:- " });
  assert.deepEqual(settings.feeds, ["coinbase:BTC-USD,ETH-USD", "sim:", "ndjson:-"]);
});

test("a wrong value is named by where it stands, with its range", () => {
  refused(
    () => readSettings("all", ["--port", "70000"], {}),
    /^--port must be a whole number from 0 to 65535, not "70000"$/,
  );
  refused(() => readSettings("all", [], { TICKGATE_PORT: "x" }), /^TICKGATE_PORT must be .* not "x"$/);
  const config = settingsFile('{"port": "x"}');
  refused(() => readSettings("all", ["--config", config], {}), /^"port" in .*json must be .* not "x"$/);
  refused(() => readSettings("all", ["--config", settingsFile('{"port": {}}')], {}), /"port" in/);
  refused(() => readSettings("all", ["--config", settingsFile('{"port": null}')], {}), /"port" in/);
});

test("a smallest window above the largest one is refused, wherever the two stand", () => {
  const env = { TICKGATE_WINDOW_MAX: "65536" };
  refused(
    () => readSettings("all", ["--window-min", "65537"], env),
    /^--window-min \(65537\) must not be above --window-max/,
  );
  assert.equal(readSettings("all", ["--window-min", "65536"], env).settings.windowMin, 65_536);
});

test("what is wrong with a flag is told in one line", () => {
  refused(() => readSettings("all", ["--port", "-1"], {}), /^[^\n]*--port[^\n]*$/);
});

test("a flag or a key that is no setting is refused; a name in the environment is told", () => {
  refused(() => readSettings("all", ["--prot", "1"], {}), /--prot/);
  refused(() => readSettings("all", ["--speed", "1"], {}), /--speed/);
  refused(() => readSettings("all", ["--config", settingsFile('{"prot": 1}')], {}), /"prot" in .* is no setting/);
  const { unknownEnv } = readSettings("all", [], { TICKGATE_PROT: "1", TICKGATE_SPEED: "1", TICKGATE_PLAY_SPEED: "1" });
  assert.deepEqual(unknownEnv, ["TICKGATE_PROT", "TICKGATE_SPEED"]);
});

test("a settings file of another command's settings serves all of them", () => {
  const config = settingsFile('{"feed": ["sim:"], "port": 9}');
  assert.equal(readSettings("gateway", ["--config", config], {}).settings.port, 9);
});

test("a file that cannot be read or is no object is named", () => {
  refused(
    () => readSettings("all", ["--config", join(folder, "none.json")], {}),
    /cannot read the settings file .*none/,
  );
  refused(() => readSettings("all", ["--config", settingsFile("{")], {}), /cannot read the settings file/);
  refused(() => readSettings("all", ["--config", settingsFile("[]")], {}), /must hold one JSON object/);
  refused(() => readSettings("all", ["--config", settingsFile("null")], {}), /must hold one JSON object/);
});

test("what is not a flag is an operand", () => {
  assert.deepEqual(readSettings("watch", ["SIM:*", "--json", "ACME"], {}).operands, ["SIM:*", "ACME"]);
});

test("within a command no flag and no environment name stands for two settings, and every default is in its range", () => {
  for (const command of ["all", "gateway", "feed", "watch", "play"] as const) {
    const own = settingsOf(command).map(([, setting]) => setting);
    assert.equal(new Set(own.map((setting) => setting.flag)).size, own.length, command);
  }
  const all = Object.values(SETTINGS);
  assert.equal(new Set(all.map((setting) => setting.env)).size, all.length);
  for (const { flag, kind, default: value } of all) {
    const shown = Array.isArray(value) ? value.join(" ") : String(value);
    assert.deepEqual(kind.read(shown), value, flag);
  }
});
