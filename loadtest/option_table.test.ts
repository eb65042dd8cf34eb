import assert from "node:assert/strict";
import { test } from "node:test";
import { boolean, integer, list, text, UsageError } from "../src/settings/option.ts";
import { option, readTable, tableHelp } from "./option_table.ts";

const OPTIONS = {
  connections: option(integer(1, 10), 3, "Connections"),
  name: option(text("NAME", "a word", /^\w+$/), "", "A name"),
  pid: option(list(integer(1, 99), /,/), [] as number[], "Processes"),
  quiet: option(boolean(), false, "Say less"),
};

test("flags are read, and those that are not given have their default", () => {
  const read = readTable(OPTIONS, ["--connections", "7", "--pid", "1,2", "--pid=3", "--quiet"]);
  assert.deepEqual(read?.values, { connections: 7, name: "", pid: [1, 2, 3], quiet: true });
  assert.deepEqual([...(read?.given ?? [])].sort(), ["connections", "pid", "quiet"]);
  assert.deepEqual(readTable(OPTIONS, [])?.values, { connections: 3, name: "", pid: [], quiet: false });
});

test("a wrong value is refused with the flag and its range, an unknown flag by its name", () => {
  const refused = (...args: string[]) => {
    try {
      readTable(OPTIONS, args);
    } catch (error) {
      assert.ok(error instanceof UsageError);
      return error.message;
    }
    return "taken";
  };
  assert.equal(refused("--connections", "11"), '--connections must be a whole number from 1 to 10, not "11"');
  assert.match(refused("--pid", "1,x"), /--pid must be a list, each a whole number from 1 to 99, not "1,x"/);
  assert.match(refused("--connection", "1"), /--connection/);
  assert.match(refused("word"), /word/);
  assert.match(refused("--name"), /--name/);
});

test("the help lists every flag with its range and default", () => {
  assert.equal(readTable(OPTIONS, ["--help"]), undefined);
  const lines = tableHelp(OPTIONS).trimEnd().split("\n");
  assert.deepEqual(lines, [
    "  --connections N       Connections: a whole number from 1 to 10; 3",
    "  --name NAME           A name: a word",
    "  --pid N               Processes: a list, each a whole number from 1 to 99",
    "  --quiet               Say less",
  ]);
});
