import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, test } from "node:test";
import fc from "fast-check";
import { ManualClock } from "../clock.ts";
import { EVENT_LIMIT } from "../log_limit.ts";
import { FIELDS, isSymbol } from "../tick.ts";
import { FarMarket, keptContext, until } from "./feed.testing.ts";
import { LineSplitter } from "./lines.ts";
import { LINE_BYTES, NdjsonFeed } from "./ndjson.ts";
import { BadLine, parseLine } from "./ndjson_line.ts";
import { openFeed, parseFeed } from "./spec.ts";
import { isoMicros } from "./time.ts";

const folder = mkdtempSync(join(tmpdir(), "tickgate-"));
after(() => rmSync(folder, { recursive: true }));

async function read(content: string) {
  const file = join(folder, "ticks.ndjson");
  writeFileSync(file, content);
  const context = keptContext(new ManualClock());
  const feed = openFeed(parseFeed(`ndjson:${file}`), context);
  feed.start();
  await until(context.sink.changed, () => context.sink.states.length > 0, "the end of the file");
  await feed.close();
  return { ...context, file };
}

test("lines become ticks; the time is microseconds, an ISO text or now", async () => {
  const { sink, clock } = await read(
    [
      '{"symbol":"ACME","bid":1.2,"last":1.21,"time":1618677810244075}',
      '{"symbol":"ACME","bid":null,"colour":"red","time":"2021-04-17T16:43:30.244075Z"}\r',
      "",
      '{"symbol":"X:Y-Z","volume":7}',
      '{"symbol":"ACME","time":5}',
    ].join("\n"),
  );
  assert.deepEqual(sink.ticks, [
    { symbol: "ACME", patch: { bid: 1.2, last: 1.21 }, eventTime: 1618677810244075 },
    { symbol: "ACME", patch: { bid: null }, eventTime: 1618677810244075 },
    { symbol: "X:Y-Z", patch: { volume: 7 }, eventTime: clock.micros() },
    { symbol: "ACME", patch: {}, eventTime: 5 },
  ]);
  assert.deepEqual(sink.states, ["closed: end of input"]);
  assert.deepEqual(sink.skipped, []);
});

test("a bad line is logged with file and number, and skipped", async () => {
  const { sink, kept, file } = await read('{"symbol":"A","bid":1}\nrubbish\n\n{"symbol":"a","bid":1}\n');
  assert.equal(sink.ticks.length, 1);
  assert.deepEqual(sink.skipped, ["malformed", "invalid_symbol"]);
  const warnings = kept.lines.filter((line) => line.level === 40).map(({ msg, from, reason }) => [msg, from, reason]);
  assert.deepEqual(warnings, [
    ["skipping a line", `${file}:2`, "the line is not JSON"],
    ["skipping a line", `${file}:4`, 'the line "symbol" must be 1 to 64 of A-Z 0-9 . _ - :'],
  ]);
});

test("a line that is too long is one bad line, and the next one is read", async () => {
  const longest = `{"symbol":"A","bid":1,"x":"${"x".repeat(LINE_BYTES - 29)}"}`;
  assert.equal(longest.length, LINE_BYTES);
  const { sink, kept } = await read(`${longest}\n${longest} \n${"y".repeat(1_000_000)}\n{"symbol":"B","bid":2}`);
  assert.deepEqual(
    sink.ticks.map((tick) => tick.symbol),
    ["A", "B"],
  );
  assert.deepEqual(sink.skipped, ["malformed", "malformed"]);
  assert.ok(kept.lines.some(({ reason }) => reason === `the line is longer than ${LINE_BYTES} bytes`));
});

test("a flood of bad lines is a few lines of log and a count", async () => {
  const { sink, kept } = await read("rubbish\n".repeat(1_000));
  assert.equal(sink.skipped.length, 1_000);
  const warnings = kept.lines.filter((line) => line.level === 40);
  assert.equal(warnings.length, EVENT_LIMIT.lines + 1);
  assert.equal(warnings.at(-1)?.more, 1_000 - EVENT_LIMIT.lines);
});

test("a named pipe is read as it is written to, and closing does not wait for a writer", async () => {
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  const context = keptContext();
  const feed = openFeed(parseFeed(`ndjson:${pipe}`), context);
  feed.start();
  const writer = openSync(pipe, "w");
  writeSync(writer, '{"symbol":"A","bid":1}\n{"symbol":"A",');
  await until(context.sink.changed, () => context.sink.ticks.length === 1, "the first line");
  writeSync(writer, '"bid":2}\n');
  await until(context.sink.changed, () => context.sink.ticks.length === 2, "the second line");
  closeSync(writer);
  await until(context.sink.changed, () => context.sink.states.length === 1, "the end");
  await feed.close();

  const idle = openFeed(parseFeed(`ndjson:${pipe}`), keptContext());
  idle.start();
  await idle.close();
});

test("partial ticks merge on their way, and the end closes the symbols", async () => {
  const market = await FarMarket.open();
  const input = new PassThrough();
  const feed = new NdjsonFeed("-", () => input, market.context);
  feed.start();
  input.write('{"symbol":"ACME","bid":1,"ask":2}\n{"symbol":"ACME","ask":null,"last":1.5}\n');
  await until(market.changed, () => market.values("ACME")?.last === 1.5, "the merged tick");
  assert.deepEqual(market.values("ACME"), { bid: 1, last: 1.5 });
  assert.equal(market.state("ACME"), "live");
  input.end();
  await until(market.changed, () => market.state("ACME") === "closed", "the end");
  assert.deepEqual(market.values("ACME"), { bid: 1, last: 1.5 });
  await feed.close();
});

test("other work gets its turn while a large input is read", async () => {
  const context = keptContext();
  const file = join(folder, "large.ndjson");
  writeFileSync(file, '{"symbol":"ACME","bid":1}\n'.repeat(50_000));
  const feed = openFeed(parseFeed(`ndjson:${file}`), context);
  let turns = 0;
  const count = () => {
    turns++;
    if (context.sink.states.length === 0) setImmediate(count);
  };
  feed.start();
  setImmediate(count);
  await until(context.sink.changed, () => context.sink.states.length > 0, "the end");
  assert.equal(context.sink.ticks.length, 50_000);
  // 1.3 MB in chunks of 64 KiB.
  assert.ok(turns >= 20, `${turns} turns`);
  await feed.close();
});

test("any text is a tick or a bad line, and no tick is bad", () => {
  const value = fc.oneof(fc.double(), fc.string(), fc.constant(null), fc.boolean(), fc.constant([]), fc.integer());
  const object = fc
    .dictionary(fc.constantFrom("symbol", "time", "seq", ...FIELDS), value)
    .map((o) => JSON.stringify(o));
  const named = fc
    .dictionary(fc.constantFrom("time", ...FIELDS), value)
    .map((o) => JSON.stringify({ symbol: "ACME", ...o }));
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), object, named), (line) => {
      const tick = parseLine(line);
      if (tick instanceof BadLine) return;
      assert.ok(isSymbol(tick.symbol));
      for (const field of Object.values(tick.patch)) assert.ok(field === null || Number.isFinite(field));
      assert.ok(tick.time === undefined || Number.isSafeInteger(tick.time));
    }),
    { numRuns: 2_000 },
  );
});

test("lines do not depend on where the bytes were cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: "grapheme", maxLength: 30 }).filter((line) => !/[\r\n]/.test(line))),
      fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }),
      (lines, cuts) => {
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
        const got: (string | undefined)[] = [];
        const splitter = new LineSplitter(20, (line) => got.push(line));
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = cuts[i % cuts.length];
          splitter.push(bytes.subarray(at, at + size));
          at += size;
        }
        splitter.end();
        assert.deepEqual(
          got,
          lines.map((line) => (Buffer.byteLength(line) > 20 ? undefined : line)),
        );
      },
    ),
  );
});

test("the bytes of a line that has not ended are copied, for a buffer may be used again", () => {
  const got: (string | undefined)[] = [];
  const splitter = new LineSplitter(20, (line) => got.push(line));
  const buffer = Buffer.from("abc");
  splitter.push(buffer);
  buffer.fill("x");
  splitter.push(Buffer.from("d\n"));
  assert.deepEqual(got, ["abcd"]);
});

test("ISO times are exact to the microsecond", () => {
  assert.equal(isoMicros("2021-04-17T16:43:30.244075Z"), 1618677810244075);
  assert.equal(isoMicros("2021-04-17T18:43:30.2440759+02:00"), 1618677810244075);
  assert.equal(isoMicros("2021-04-17T16:43:30Z"), 1618677810000000);
  for (const bad of ["2021-04-17T16:43:30", "2021-13-17T16:43:30Z", "yesterday", "", "2021-04-17"])
    assert.ok(Number.isNaN(isoMicros(bad)), bad);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_000_000_000 }), fc.integer({ min: 0, max: 999_999 }), (seconds, micros) => {
      const text = `${new Date(seconds * 1_000).toISOString().slice(0, 19)}.${String(micros).padStart(6, "0")}Z`;
      assert.equal(isoMicros(text), seconds * 1_000_000 + micros);
    }),
  );
});
