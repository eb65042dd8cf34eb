import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, test } from "node:test";
import { promisify } from "node:util";
import fc from "fast-check";
import { FarMarket, keptContext, until } from "../../../test/support/feed_bench.ts";
import { ManualClock } from "../../base/clock.ts";
import { FIELDS, isSymbol } from "../../base/tick.ts";
import { EVENT_LIMIT } from "../../log/rate_limited_log.ts";
import { UsageError } from "../../settings/option.ts";
import { openFeed, parseFeed } from "../spec.ts";
import { isoMicros } from "../time.ts";
import { BadLine } from "./bad_line.ts";
import { parseLine } from "./line.ts";
import { LineSplitter } from "./lines.ts";
import { LINE_BYTES, NdjsonFeed } from "./ndjson.ts";

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
  return { ...context, file, feed };
}

test("lines become ticks; the time is microseconds, an ISO text or now", async () => {
  const { sink } = await read(
    [
      '{"symbol":"ACME","bid":1.2,"last":1.21,"time":1618677810244075}',
      '{"symbol":"ACME","bid":null,"colour":"red","time":"2021-04-17T16:43:30.244075Z"}\r',
      "",
      '{"symbol":"X:Y-Z","volume":7}',
      '{"symbol":"ACME","time":1618677810244075.5}',
    ].join("\n"),
  );
  assert.deepEqual(sink.ticks, [
    { symbol: "ACME", patch: { bid: 1.2, last: 1.21 }, eventTime: 1618677810244075 },
    { symbol: "ACME", patch: { bid: null }, eventTime: 1618677810244075 },
    { symbol: "X:Y-Z", patch: { volume: 7 }, eventTime: undefined },
    { symbol: "ACME", patch: {}, eventTime: 1618677810244076 },
  ]);
  assert.deepEqual(sink.states, ["closed: end of input"]);
  assert.deepEqual(sink.skipped, []);
});

test("a bad line is logged with file and number, and skipped", async () => {
  const { sink, kept, file } = await read('{"symbol":"A","bid":1}\nrubbish\n\n{"symbol":"a b","bid":1}\n');
  assert.equal(sink.ticks.length, 1);
  assert.deepEqual(sink.skipped, ["malformed", "invalid_symbol"]);
  const warnings = kept.lines.filter((line) => line.level === 40).map(({ msg, from, reason }) => [msg, from, reason]);
  assert.deepEqual(warnings, [
    ["skipping a line", `${file}:2`, "the line is not JSON"],
    ["skipping a line", `${file}:4`, 'the line "symbol" must be 1 to 64 of A-Z a-z 0-9 . _ - : / = ^ & + @ ! $ ~'],
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

function newPipe(name: string): string {
  const pipe = join(folder, name);
  execFileSync("mkfifo", [pipe]);
  return pipe;
}

/** Runs a shell command to its end, which is reached only if the pipe that it writes to has a reader. */
const shell = promisify(execFile);
const echo = (pipe: string, line: string) => shell("sh", ["-c", `echo '${line}' > ${pipe}`], { timeout: 10_000 });

test("a named pipe is read as it is written to, and closing does not wait for a writer", async () => {
  const pipe = newPipe("pipe");
  const context = keptContext();
  const feed = openFeed(parseFeed(`ndjson:${pipe}`), context);
  feed.start();
  assert.equal(feed.connected, false);
  const writer = openSync(pipe, "w");
  writeSync(writer, '{"symbol":"A","bid":1}\n{"symbol":"A",');
  await until(context.sink.changed, () => context.sink.ticks.length === 1, "the first line");
  assert.equal(feed.connected, true);
  writeSync(writer, '"bid":2}\n');
  await until(context.sink.changed, () => context.sink.ticks.length === 2, "the second line");
  closeSync(writer);
  await until(context.sink.changed, () => context.sink.states.length === 1, "the end");
  assert.equal(context.sink.states[0], "stale: nobody writes to the pipe");
  assert.deepEqual([feed.connected, context.sink.connects, context.sink.disconnects], [false, 1, 1]);
  await feed.close();

  const idle = openFeed(parseFeed(`ndjson:${pipe}`), keptContext());
  idle.start();
  await idle.close();
});

test("a named pipe outlives its writers: the next one finds a reader, and no line is lost", async (t) => {
  const pipe = newPipe("writers");
  const market = await FarMarket.open();
  const feed = openFeed(parseFeed(`ndjson:${pipe}`), market.context);
  t.after(() => feed.close());
  feed.start();
  await echo(pipe, '{"symbol":"A","bid":1}');
  await echo(pipe, '{"symbol":"A","bid":2}');
  await until(market.changed, () => market.values("A")?.bid === 2, "the second writer's line");
  // One writer after the other, each for one line.
  const loop = `i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo '{"symbol":"B","bid":'$i'}' > ${pipe}; done`;
  await shell("sh", ["-c", loop], { timeout: 30_000 });
  await until(market.changed, () => market.values("B")?.bid === 200, "the last line");
  assert.equal(market.table.seq[market.table.rowOf("B")], 200);
  await until(market.changed, () => market.state("B") === "stale", "the end of patience");
  assert.equal(market.reason("B"), "nobody writes to the pipe");
  assert.equal(feed.connected, false);
  await echo(pipe, '{"symbol":"B","bid":201}');
  await until(market.changed, () => market.values("B")?.bid === 201, "the line of a writer that came late");
  assert.equal(market.publisher.counts.skipped.malformed, 0);
});

test("what a writer left in a pipe before it was opened is read, and then nobody writes", async (t) => {
  const pipe = newPipe("left");
  // Someone else has it open, so the writer does not wait for the feed.
  const other = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  t.after(() => closeSync(other));
  await echo(pipe, '{"symbol":"A","bid":1}');
  const market = await FarMarket.open();
  const feed = openFeed(parseFeed(`ndjson:${pipe}`), market.context);
  t.after(() => feed.close());
  feed.start();
  await until(market.changed, () => market.values("A")?.bid === 1, "the line");
  await until(market.changed, () => market.state("A") === "stale", "the end of patience");
  assert.equal(market.reason("A"), "nobody writes to the pipe");
  assert.equal(feed.connected, false);
});

test("a named pipe that is removed is tried again, and another in its place is read", async (t) => {
  const pipe = newPipe("removed");
  const market = await FarMarket.open();
  const feed = openFeed(parseFeed(`ndjson:${pipe}`), market.context);
  t.after(() => feed.close());
  feed.start();
  await echo(pipe, '{"symbol":"A","bid":1}');
  await until(market.changed, () => market.state("A") === "live", "the tick");
  rmSync(pipe);
  await until(market.changed, () => market.state("A") === "stale", "the loss");
  assert.equal(market.reason("A"), "cannot read: ENOENT");
  newPipe("removed");
  await echo(pipe, '{"symbol":"A","bid":2}');
  await until(market.changed, () => market.values("A")?.bid === 2, "the line through the other pipe");
  assert.equal(market.state("A"), "live");
});

test("the end of a file closes its symbols, and then nothing is connected", async () => {
  const { sink, feed } = await read('{"symbol":"A","bid":1}');
  assert.deepEqual(sink.states, ["closed: end of input"]);
  assert.deepEqual([feed.connected, sink.connects, sink.disconnects], [false, 1, 1]);
});

test("a file that disappears before it is read ends the feed, and clients are not told its path", async () => {
  const file = join(folder, "gone.ndjson");
  writeFileSync(file, "");
  const context = keptContext();
  const feed = openFeed(parseFeed(`ndjson:${file}`), context);
  rmSync(file);
  feed.start();
  await until(context.sink.changed, () => context.sink.states.length === 1, "the end");
  assert.deepEqual(context.sink.states, ["closed: cannot read: ENOENT"]);
  assert.equal(feed.connected, false);
  const [line] = context.kept.lines.filter(({ level }) => level === 50);
  assert.deepEqual([line.msg, line.from], ["the input cannot be read", file]);
});

test("what cannot be read is refused, with the reason", async () => {
  const server = createServer().listen(join(folder, "socket"));
  await once(server, "listening");
  for (const [target, reason] of [
    ["", /names no file/],
    [join(folder, "none"), /cannot read .*none: ENOENT/],
    [folder, /cannot read .*: it is a directory/],
    [join(folder, "socket"), /cannot read .*: it is a socket/],
  ] as const)
    assert.throws(
      () => openFeed(parseFeed(`ndjson:${target}`), keptContext()),
      (error) => error instanceof UsageError && reason.test(error.message),
    );
  server.close();
});

test("the limit on silence is 0 or a range", () => {
  for (const silence of [0, 100, 60_000, 86_400_000]) parseFeed(`ndjson:-?silence=${silence}`);
  for (const silence of ["", "-1", "1", "99", "86400001", "1s"])
    assert.throws(() => parseFeed(`ndjson:-?silence=${silence}`), /must be 0 or a whole number from 100 to/);
});

test("a time in another unit is refused with a hint; so is one that nobody can mean", () => {
  const hint = (time: unknown) => {
    const line = parseLine(JSON.stringify({ symbol: "A", bid: 1, time }));
    return line instanceof BadLine ? line.message : line.time;
  };
  const looksLike = (time: number, unit: string) =>
    `has another unit: "time" is in microseconds since 1970; ${time} looks like ${unit}`;
  assert.equal(hint(1_700_000_000), looksLike(1_700_000_000, "seconds"));
  assert.equal(hint(1_700_000_000.5), looksLike(1_700_000_000.5, "seconds"));
  assert.equal(hint(1_700_000_000_123), looksLike(1_700_000_000_123, "milliseconds"));
  assert.equal(hint(1_700_000_000_123_456), 1_700_000_000_123_456);
  assert.equal(hint(1_700_000_000_123_456.5), 1_700_000_000_123_457);
  assert.equal(hint("2021-04-17T16:43:30.244075999Z"), 1_618_677_810_244_075);
  assert.equal(hint(1_700_000_000_123_456_800), looksLike(1_700_000_000_123_456_800, "nanoseconds"));
  for (const time of [0, 5, -1, 1e12 + 1e14, 4.2e15, 1e300, -1_700_000_000])
    assert.equal(hint(time), `has a "time" that is not between 2000 and 2100: ${time}`);
  for (const time of ["0001-01-01T00:00:00Z", "1999-12-31T23:59:59.999999Z", "2100-01-01T00:00:00Z"])
    assert.equal(hint(time), `has a "time" that is not between 2000 and 2100: ${time}`);
});

test("a 0 is what the user wrote, null is no value, and a price and a size that are both 0 are none", () => {
  const patch = (fields: object) => {
    const line = parseLine(JSON.stringify({ symbol: "A", ...fields }));
    assert.ok(!(line instanceof BadLine));
    return line.patch;
  };
  assert.deepEqual(patch({ bid: 0, ask: null, last: -0.5, open: 0 }), { bid: 0, ask: null, last: -0.5, open: 0 });
  assert.deepEqual(patch({ bid: 0, bidSize: 0, last: 0, lastSize: 5 }), {
    ...{ bid: null, bidSize: null, last: 0, lastSize: 5 },
  });
  assert.deepEqual(parseLine('{"symbol":"A","bid":-0}'), {
    symbol: "A",
    patch: { bid: 0 },
    trade: undefined,
    book: undefined,
    time: undefined,
  });
});

test("partial ticks merge on their way, and the end closes the symbols", async () => {
  const market = await FarMarket.open();
  const input = new PassThrough();
  const feed = new NdjsonFeed("-", { isPipe: false, probe() {}, open: () => input }, { silence: 0 }, market.context);
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
      for (const field of Object.values(tick.patch ?? {})) assert.ok(field === null || Number.isFinite(field));
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
