/**
 * The clients in examples/, each run as a developer would: at a real gateway, and at a fake one that fails.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { suite, type TestContext, test } from "node:test";
import { ExampleMarket } from "./support/example_market.ts";
import { ExampleProgram, languages } from "./support/example_program.ts";
import { FakeGateway } from "./support/fake_gateway.ts";
import { isPrintable } from "./support/printable_texts.ts";
import { freePort } from "./support/redis_server.ts";

/** A tick as all examples print it. */
const TICK = /^(\S+) bid=(\S+) ask=(\S+) last=(\S+) seq=(\d+) (?:snapshot|conflated=(\d+))$/;
/** With TEST_ALL a missing language is a failure. */
const IS_ALL_NEEDED = process.env.TEST_ALL === "1";

const all = languages();
const here = all.filter((language) => "command" in language);
for (const language of all) {
  if ("command" in language) continue;
  test(`the example in ${language.name}`, { skip: IS_ALL_NEEDED ? false : `left out: ${language.missing}` }, () =>
    assert.fail(`it cannot be run here: ${language.missing}`),
  );
}
const names = here.map(({ name }) => name).join(", ");

/**
 * Checks every tick that was printed against what was published: seq is bid and last, and the count of conflated ones
 * true.
 */
function assertTrue({ name, lines }: ExampleProgram): void {
  const seqs = new Map<string, number>();
  for (const line of lines) {
    // Counting restarts on each connection, and after a reset.
    if (line.startsWith("connected")) seqs.clear();
    seqs.delete(/^(\S+) gap/.exec(line)?.[1] ?? "");
    const [, symbol, bid, ask, last, seq, conflated] = TICK.exec(line) ?? [];
    if (!symbol) continue;
    assert.deepEqual([Number(bid), ask, Number(last)], [Number(seq) + 0.5, "-", Number(seq) + 0.5], `${name}: ${line}`);
    const before = seqs.get(symbol);
    assert.equal(conflated && Number(conflated), before && Number(seq) - before - 1, `${name}: ${line}`);
    seqs.set(symbol, Number(seq));
  }
}

test(`in ${names}: prices of a real gateway, stale with the feed, and a reconnect when the gateway is back`, {
  timeout: 300_000,
}, async (t) => {
  const market = await ExampleMarket.open(t);
  market.tick("V:A");
  await market.known("V:A");
  const programs = here.map((language) => new ExampleProgram(t, language, market.url, "V:A", "P:*", "wrong?"));
  /** The number of lines of each that have been read. */
  let read = programs.map(() => 0);
  const printed = async (line: RegExp) => {
    read = await Promise.all(programs.map((program, index) => program.printed(line, read[index])));
  };
  const tick = async (symbol: string, count = 1) =>
    printed(new RegExp(`^${symbol} .* seq=${market.tick(symbol, count)} `));

  await printed(/^connected to /);
  await printed(/^wrong\? is not granted: .* \(invalid_symbol\)$/);
  await printed(/^V:A bid=1.5 ask=- last=1.5 seq=1 snapshot$/);
  await tick("V:A", 20);
  await tick("V:A", 20);
  market.tick("P:NEW");
  await printed(/^P:NEW .* seq=1 snapshot$/);

  await market.stopFeed();
  await printed(/^V:A stale: nothing heard from the feed$/);
  await market.startFeed();
  await tick("V:A");
  await Promise.all(programs.map((program) => program.printed(/^V:A live$/)));

  await market.stopGateway("SIGKILL");
  await printed(/^connection lost, all prices are stale: .*; trying again in \d+\.\d s$/);
  await market.startGateway();
  await printed(/^V:A .* snapshot$/);
  await tick("V:A");
  await market.stopGateway("SIGTERM");
  await printed(
    /^connection lost, all prices are stale: the gateway is restarting \(1012\); trying again in \d\.\d s$/,
  );

  for (const program of programs) {
    assertTrue(program);
    assert.ok(
      program.lines.some((line) => /conflated=[1-9]/.test(line)),
      `${program.name} tells of conflated ticks`,
    );
    program.interrupt();
    assert.equal(await program.ended(), 0, `${program.name} ends with Ctrl-C`);
    assert.equal(program.errors, "", program.name);
  }
});

/** The same for each language, in parallel, since most of the time is waiting. */
function each(title: string, run: (t: TestContext, language: (typeof here)[number]) => Promise<void>): void {
  suite(title, { concurrency: true, timeout: 300_000 }, () => {
    for (const language of here) test(language.name, (t) => run(t, language));
  });
}

each("what a gateway says in need", async (t, language) => {
  const gateway = await FakeGateway.open(t, 500);
  const program = new ExampleProgram(t, language, gateway.url, "A", "B*");
  let connection = await gateway.next();
  const { symbols, interval, fields } = await connection.subscribe();
  assert.deepEqual(symbols, ["A", "B*"]);
  // Fields come in the granted order, not the requested one; a client ignores what it does not know.
  const granted = { op: "subscribed", interval, fields: fields?.toReversed(), symbols: [["A", 7]], rejected: [] };
  const status = { op: "status", symbols: ["A"], since: 1 };
  const rejected = [{ symbol: "Z", code: "not_entitled", message: "no" }];
  for (const message of [
    // A has no publisher until its first tick. The answer comes in parts, with other messages between them.
    { ...granted, id: 1, more: true },
    { ...status, state: "stale", reason: "unknown" },
    [1, [7, 5, 1, 1.5, null, -2]],
    { op: "heartbeat", time: 1 },
    { ...granted, id: 1, more: true, symbols: [], rejected },
    { ...granted, id: 1, symbols: [["B0", 6]] },
    [1, [6, 1, 1, 4, 5, 6]],
    [1, [7, 9, 1, 2 ** 40, 0.25, null]],
    { ...status, state: "gap", reason: "missed" },
    [1, [7, 20, 1, 1, 2, 3]],
    { ...status, state: "closed" },
    { op: "quality", state: "conflating", interval: 400, reason: "client" },
    { op: "error", code: "internal", message: "once", retryable: true },
    { op: "weather", forecast: ["rain"] },
    { ...granted, symbols: [["B1", 8]] },
    [1, [8, 2 ** 33, 1, 4, 5, 6], [7, 21, 1, 1, 2, 3]],
  ])
    connection.say(message);
  await program.printed(/^A .*seq=21 /);
  assert.deepEqual(program.lines, [
    "connected to fake",
    "A stale: unknown",
    "A last=1.5 ask=- bid=-2 seq=5 snapshot",
    "Z is not granted: no (not_entitled)",
    "B0 last=4 ask=5 bid=6 seq=1 snapshot",
    "A last=1099511627776 ask=0.25 bid=- seq=9 conflated=3",
    "A gap: missed",
    "A last=1 ask=2 bid=3 seq=20 snapshot",
    "A closed",
    "updates are conflating: one in 400 ms (client)",
    "the gateway says internal: once",
    "B1 last=4 ask=5 bid=6 seq=8589934592 snapshot",
    "A last=1 ask=2 bid=3 seq=21 conflated=0",
  ]);

  // Silent, then active again; if the machine is slow at that moment, another connection gets another attempt.
  let read = 0;
  for (let triesLeft = 10; ; triesLeft--) {
    read = await program.printed(/^nothing heard for 1(\.0)? ?s: all prices are stale$/, read);
    connection.say({ op: "heartbeat", time: 1 });
    read = await program.printed(/^heard again$|^connection lost/, read);
    if (program.lines[read - 1] === "heard again") break;
    assert.ok(triesLeft > 0, program.lines.join("\n"));
    connection = await gateway.next();
  }
  // Silent from now on.
  read = await program.printed(/^connection lost, .* stale: nothing heard from the gateway; trying again in \d/, read);
  await connection.untilClosed();

  connection = await gateway.next();
  assert.deepEqual((await connection.subscribe()).symbols, ["A", "B*"]);
  connection.say({ op: "bye", code: 1012, reason: "restarting", retryAfter: 1_234 });
  connection.close(1012, "restarting");
  const saidAt = performance.now();
  read = await program.printed(/^connection lost, .*: restarting \(1012\); trying again in 1\.2 s$/, read);
  connection = await gateway.next();
  assert.ok(performance.now() - saidAt >= 1_150, "it reconnects at the requested time");

  connection.close(1013, "full");
  read = await program.printed(/^connection lost, .*: full \(1013\); trying again in \d+\.\d s$/, read);
  connection = await gateway.next();
  connection.close(4401, "the credentials have expired");
  assert.equal(await program.ended(), 1);
  assert.equal(program.errors.trim(), "the gateway refuses: the credentials have expired (4401)");
});

each("what a gateway says is not obeyed by a terminal", async (t, language) => {
  const evil = "\x1b[2J\x1b]0;x\x07\r\n\x9b31m\u202eevil\u200b\x7f";
  const gateway = await FakeGateway.open(t, 10_000, evil);
  const program = new ExampleProgram(t, language, gateway.url, "A");
  const connection = await gateway.next();
  await connection.subscribe();
  const rejected = [{ symbol: evil, code: evil, message: evil }];
  connection.say({ op: "subscribed", interval: 1, fields: ["bid"], symbols: [[evil, 0]], rejected });
  connection.say({ op: "status", symbols: [evil], state: "stale", reason: evil, since: 1 });
  connection.say({ op: "quality", state: "conflating", interval: 400, reason: evil });
  connection.say({ op: "error", code: evil, message: evil, retryable: true });
  connection.say([1, [0, 1, 1, 2]]);
  connection.close(4400, evil);
  assert.equal(await program.ended(), 1);
  assert.equal(program.lines.length, 6, program.lines.join("\n"));
  for (const line of [...program.lines, program.errors.trimEnd()]) assert.ok(isPrintable(line), JSON.stringify(line));
});

each("a user's mistakes are said in a line", async (t, language) => {
  const url = `ws://127.0.0.1:${await freePort()}/v1/stream`;
  for (const [args, said] of [
    [[], /^usage: .* URL SYMBOL…$/],
    [[url], /^usage: .* URL SYMBOL…$/],
    [["127.0.0.1:8080", "A"], /^127.0.0.1:8080 is no address of a gateway, such as ws:/],
    [["ftp://127.0.0.1/v1/stream", "A"], /^ftp:\S+ is no address of a gateway, such as ws:/],
  ] as const) {
    const program = new ExampleProgram(t, language, ...args);
    assert.equal(await program.ended(), 2);
    assert.match(program.errors.trim(), said);
    assert.deepEqual(program.lines, []);
  }
  // No gateway: it tries again, and reports that.
  const program = new ExampleProgram(t, language, url, "A");
  const line = /^no connection: .*(refused|Connect call failed)/i;
  await program.printed(/; trying again in \d/, await program.printed(line));
  program.interrupt();
  assert.equal(await program.ended(), 0);
  assert.equal(program.errors, "");
});

each("a reader that goes ends it quietly", async (t, language) => {
  const gateway = await FakeGateway.open(t, 10_000);
  const program = new ExampleProgram(t, language, gateway.url, "A");
  const connection = await gateway.next();
  await connection.subscribe();
  connection.say({ op: "subscribed", interval: 1, fields: ["bid"], symbols: [["A", 0]], rejected: [] });
  let seq = 0;
  const ticking = setInterval(() => connection.say([1, [0, ++seq, 1, 2]]), 5);
  t.after(() => clearInterval(ticking));
  await program.printed(/^A bid=2 /);
  program.leave();
  await program.ended();
  assert.equal(program.errors, "");
});

test("the example in Node is tested with the packages that it requires", () => {
  const read = (path: string) => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));
  const [{ dependencies }, own] = [read("../examples/node/package.json"), read("../package.json")];
  for (const [name, range] of Object.entries(dependencies))
    assert.equal(range, own.dependencies[name] ?? own.devDependencies[name], name);
});
