import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { keptContext } from "../../test/support/feed_bench.ts";
import { UsageError } from "../settings/option.ts";
import { ADAPTERS, adaptersHelp } from "./adapters.ts";
import { openFeed, parseFeed, parseFeeds } from "./spec.ts";

function refused(spec: string, ...parts: string[]): void {
  assert.throws(
    () => openFeed(parseFeed(spec), keptContext()),
    (error) => {
      assert.ok(error instanceof UsageError, String(error));
      for (const part of [spec, ...parts]) assert.ok(error.message.includes(part), `${error.message} names ${part}`);
      return true;
    },
  );
}

test("a specification with defaults and with all", () => {
  const plain = parseFeed("sim:");
  assert.equal(plain.name, "sim");
  assert.deepEqual(plain.options, { symbols: 1_000, rate: 20_000, period: 2, skew: 0.9, seed: 1, prefix: "SIM" });
  const full = parseFeed("sim:?symbols=10&rate=5&seed=7&prefix=ACME&name=a");
  assert.equal(full.name, "a");
  assert.deepEqual(full.options, { symbols: 10, rate: 5, period: 2, skew: 0.9, seed: 7, prefix: "ACME" });
});

test("escapes in targets and values are read", () => {
  assert.equal(parseFeed("ndjson:/tmp/a%20b%3Fc").target, "/tmp/a b?c");
  refused("ndjson:100%", "%25");
});

test("what is wrong is named, with what there is", () => {
  refused("nyse:AAPL", '"nyse"', "sim", "ndjson");
  refused("sim", "ADAPTER:SYMBOLS");
  refused("sim:?speed=1", '"speed"', "symbols, rate, period, skew, seed, prefix, name");
  refused("sim:?rate=-1", "rate", "0 to 1000000", '"-1"');
  refused("sim:?rate", "rate", "0 to 1000000");
  refused("sim:?rate=1&rate=2", "rate", "twice");
  refused("sim:?name=a/b", "name", "letters");
  refused("ndjson:", "names no file");
  refused("ndjson:/no/such/file", "/no/such/file");
  refused("ndjson:/", "directory");
});

test("two feeds of one name are refused", () => {
  assert.equal(parseFeeds(["sim:", "sim:?name=other"]).length, 2);
  assert.throws(() => parseFeeds(["sim:?seed=1", "sim:?seed=2"]), /two feeds are named "sim".*\?name=/);
});

test("whatever is written, the answer is a feed or a UsageError", () => {
  const piece = fc.oneof(fc.constantFrom("sim", "ndjson", ":", "?", "=", "&", "%", "rate", "name", ","), fc.string());
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      try {
        assert.ok(parseFeed(pieces.join("")).name);
      } catch (error) {
        assert.ok(error instanceof UsageError, String(error));
      }
    }),
    { numRuns: 1_000 },
  );
});

test("the help names every adapter and option", () => {
  const help = adaptersHelp();
  for (const { name, options } of ADAPTERS) {
    assert.ok(help.includes(`${name}:`));
    for (const option of Object.keys(options)) assert.ok(help.includes(`${option}=`), `${name} ${option}`);
  }
  assert.ok(help.includes("name=NAME"));
});
