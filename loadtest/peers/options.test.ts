import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../../src/settings/option.ts";
import { help, readOptions } from "./options.ts";
import { PEERS } from "./peers.ts";

test("options have defaults, and are read", () => {
  const options = readOptions(["--seconds", "0.5", "--peers", "ws,nats", "--document"]);
  assert.deepEqual([options?.seconds, options?.peers, options?.document, options?.rounds], [0.5, "ws,nats", true, 3]);
});

test("errors name the option and its range", () => {
  assert.throws(
    () => readOptions(["--rounds", "0"]),
    (error) => error instanceof UsageError && /--rounds must be a whole number from 1/.test(error.message),
  );
  assert.throws(() => readOptions(["--nonsense"]), UsageError);
  assert.throws(() => readOptions(["--document", "--together"]), /--document cannot be combined/);
});

test("help names every peer and option", () => {
  assert.equal(readOptions(["--help"]), undefined);
  for (const { name, title } of PEERS) assert.match(help(), new RegExp(`  ${name} +${title}`));
  for (const flag of ["peers", "slow-bytes", "server-cores", "document"]) assert.match(help(), new RegExp(`--${flag}`));
});

test("no two peers have one name or title", () => {
  assert.equal(new Set(PEERS.map(({ name }) => name)).size, PEERS.length);
  assert.equal(new Set(PEERS.map(({ title }) => title)).size, PEERS.length);
});
