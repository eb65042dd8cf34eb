import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isPrintable, outsideText } from "../../test/support/printable_texts.ts";
import { SETTINGS } from "../settings/settings.ts";
import { createLog, type LogSettings } from "./log.ts";

const SETTINGS_OF_LOG: LogSettings = {
  logLevel: "info",
  logFormat: "json",
  node: "gateway1",
  redisUrl: "redis://:hunter2@10.0.0.1:6379",
  redisPassword: "correct horse",
  adminToken: [],
  jwtSecret: "",
};

/** A log and what it writes. */
function bench(own: Partial<LogSettings> = {}, isTerminal = false) {
  let text = "";
  const output = {
    write: () => assert.fail("what is looked at at once is flushed"),
    writeSync(part: Buffer) {
      text += part;
      return part.length;
    },
  };
  const log = createLog({ ...SETTINGS_OF_LOG, ...own }, output, isTerminal);
  const take = () => {
    (log as unknown as { [stream: symbol]: { flushSync(): void } })[streamOf(log)].flushSync();
    const taken = text;
    text = "";
    return taken;
  };
  return { log, take };
}

/** pino keeps its stream behind a symbol. */
function streamOf(log: object): symbol {
  return Object.getOwnPropertySymbols(log).find((symbol) => symbol.description === "pino.stream") as symbol;
}

test("a line is one JSON object: level, time, who, fields and message", () => {
  const { log, take } = bench();
  log.info({ feed: "sim", epoch: 3 }, "leading the feed");
  log.debug("not at this level");
  const { time, pid, ...line } = JSON.parse(take());
  assert.ok(Math.abs(time - Date.now()) < 60_000);
  assert.equal(pid, process.pid);
  assert.deepEqual(line, { level: 30, node: "gateway1", feed: "sim", epoch: 3, msg: "leading the feed" });
});

test("on a terminal it is a line for people; JSON where that is asked for", () => {
  const pretty = bench({ logFormat: "auto" }, true);
  pretty.log.warn({ reason: "ECONNREFUSED" }, "Redis is lost");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
  const line = pretty.take().replace(/\x1b\[\d+m/g, "");
  assert.match(line, /^\[\d\d:\d\d:\d\d\.\d{3}\] WARN: Redis is lost \{"reason":"ECONNREFUSED"\}\n$/);
  const json = bench({ logFormat: "json" }, true);
  json.log.warn("Redis is lost");
  assert.equal(JSON.parse(json.take()).msg, "Redis is lost");
  const auto = bench({ logFormat: "auto" }, false);
  auto.log.warn("Redis is lost");
  assert.equal(JSON.parse(auto.take()).msg, "Redis is lost");
});

test("no secret gets into the log, whatever it came with", () => {
  for (const logFormat of ["json", "pretty"] as const) {
    const { log, take } = bench({ logFormat });
    const refused = Object.assign(new Error("WRONGPASS for redis://:hunter2@10.0.0.1:6379"), {
      command: { name: "auth", args: ["correct horse"] },
    });
    log.error({ err: refused, url: "wss://feed.example/?token=abc123&symbols=A" }, "cannot log in with correct horse");
    const text = take();
    for (const secret of ["hunter2", "correct horse", "abc123"]) assert.ok(!text.includes(secret), text);
    assert.ok(text.includes("redis://***@10.0.0.1:6379"), text);
    assert.ok(text.includes("token=***&symbols=A"), text);
  }
});

test("an error is logged with its stack and causes, and without what a library attached to it", () => {
  const { log, take } = bench();
  const cause = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED", command: { args: ["x"] } });
  log.error({ err: new TypeError("no answer", { cause }) }, "the bus cannot be listened to");
  const { err } = JSON.parse(take());
  assert.deepEqual(
    [err.type, err.message, err.cause.type, err.cause.message, err.cause.code],
    ["TypeError", "no answer", "Error", "connect ECONNREFUSED", "ECONNREFUSED"],
  );
  assert.ok(err.stack.includes("log.test.ts"));
  assert.equal(err.cause.command, undefined);
  log.error({ err: "not an error" }, "x");
  assert.equal(JSON.parse(take()).err, "not an error");
});

test("every level that can be set is one of pino's", () => {
  for (const level of SETTINGS.logLevel.kind.arg.split("|"))
    assert.equal(bench({ logLevel: level as LogSettings["logLevel"] }).log.level, level);
});

test("a line holds nothing that a terminal would obey, pretty or JSON, whatever stands in it", () => {
  fc.assert(
    fc.property(outsideText, (text) => {
      for (const logFormat of ["pretty", "json"] as const) {
        const { log, take } = bench({ logFormat });
        log.warn({ reason: text, err: new Error(text), deep: [{ [`x${text}`]: text }] }, text);
        const line = take();
        assert.ok(isPrintable(line.replaceAll("\n", "")), JSON.stringify(line));
        if (logFormat === "json") {
          const { reason, msg } = JSON.parse(line);
          assert.deepEqual(
            [reason, msg],
            [text, text].map((said) => said.toWellFormed()),
          );
        }
      }
    }),
    { numRuns: 200 },
  );
});
