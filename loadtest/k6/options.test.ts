import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../../src/settings/option.ts";
import { help, readOptions } from "./options.ts";
import { PARAMETERS, SCENARIOS } from "./scenarios.ts";

test("a scenario has its own defaults, and flags override them", () => {
  const read = readOptions(["steady", "--connections", "2000", "--rate=500"]);
  assert.equal(read?.command, "run");
  assert.ok(read?.command === "run");
  assert.equal(read.scenario, "steady");
  assert.deepEqual([read.settings.connections, read.settings.rate, read.settings.sample], [2_000, 500, 5]);
  const none = readOptions([]);
  assert.ok(none?.command === "run" && none.scenario === "smoke" && none.settings.connections === 20);
  assert.deepEqual(readOptions(["install"]), { command: "install" });
});

test("errors name the flag and its range", () => {
  const cases: [string[], RegExp][] = [
    [["sturdy"], /no scenario "sturdy": smoke, steady, ramp, spike, soak/],
    [["steady", "--connections", "0"], /--connections must be a whole number from 1 to 50000, not "0"/],
    [["--interval", "1.5"], /--interval must be a whole number from 0 to 60000 \(ms\)/],
    [["steady", "--connection", "1"], /--connection/],
    [["steady", "ramp"], /ramp/],
    [["steady", "--connections", "5000", "--rate", "10"], /--connections 5000 at --rate 10 take 500 s/],
    [["smoke", "--url", "http://x/"], /--url must be/],
    [["smoke", "--url", "ws://x/v1/stream", "--ticks", "5"], /--ticks is for a gateway of its own/],
    [["smoke", "--metrics", "http://x/metrics"], /--metrics needs --url/],
    [["smoke", "--symbols", "50", "--market", "40"], /must not be more than --market/],
    [["smoke", "--bars", "1", "--resolution", "2"], /there are bars of 1, 60, 300, 900, 3600, 86400 seconds/],
  ];
  for (const [args, message] of cases)
    assert.throws(
      () => readOptions(args),
      (error) => error instanceof UsageError && message.test(error.message),
      args.join(" "),
    );
});

test("the help lists every scenario and parameter", () => {
  assert.equal(readOptions(["steady", "--help"]), undefined);
  for (const name of [...Object.keys(SCENARIOS), ...Object.keys(PARAMETERS)])
    assert.match(help(), new RegExp(`\\b${name}\\b`));
});
