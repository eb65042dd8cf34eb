/** Text of servers in `tickgate watch`, `trace` and `top`: it must not contain escapes that a terminal executes. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { CommandProcess } from "./support/command_process.ts";
import { type FakeConnection, FakeGateway } from "./support/fake_gateway.ts";
import { isPrintable } from "./support/printable_texts.ts";
import { nodeReport } from "./support/reports.ts";

/** Clears the screen, sets title and clipboard, forges a line, turns the direction around, is not seen. */
const EVIL = "\x1b[2J\x1b]0;x\x07\x1b]52;c;eA==\x07\r\nA live\x9b31m\u202eevil\u200b\x7f";
/** The escapes of our own screen: positions, colours, modes; it is cleared once, when the last mode is set. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the test looks for them
const OWN_ESCAPES = /\x1b\[(\d+;1H|K|[\d;]*m|\?7l\x1b\[2J|\?\d+[hl])/g;

function assertHarmless(text: string): void {
  for (const line of text.split(/\r?\n/)) assert.ok(isPrintable(line), JSON.stringify(line));
}

async function serve(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  t.after(() => server.close().closeAllConnections());
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** All texts that a gateway can send. */
function sayAll(connection: FakeConnection): void {
  const rejected = [{ symbol: EVIL, code: EVIL, message: EVIL }];
  const symbols = [
    ["A", 1],
    [`A${EVIL}`, 2],
  ];
  connection.say({ op: "subscribed", interval: 0, fields: ["last"], symbols, rejected });
  connection.say({ op: "status", symbols: ["A", `A${EVIL}`], state: "stale", reason: EVIL, since: 1 });
  connection.say([1, [1, 1, 1, 5], [2, 1, 1, 6]]);
  connection.say({ op: "quality", state: "conflating", interval: 5, reason: EVIL });
  connection.say({ op: "error", code: EVIL, message: EVIL, retryable: false });
}

for (const more of [[], ["--json"]])
  test(`watch ${more} writes nothing that a terminal executes, whatever a gateway sends`, async (t) => {
    const gateway = await FakeGateway.open(t, 10_000, EVIL);
    const watch = new CommandProcess(t, ["watch", "A*", "--url", gateway.url, ...more]);
    const connection = await gateway.next();
    await connection.subscribe();
    sayAll(connection);
    await watch.writes("stdout", /stale[\s\S]*6/);
    connection.say({ op: "bye", code: 1012, reason: EVIL, retryAfter: 1 });
    connection.close(1012, EVIL);
    const second = await gateway.next();
    await watch.writes("stderr", "connected to");
    second.close(4400, EVIL);
    assert.equal(await watch.end(), 1);
    assertHarmless(watch.stdout);
    assertHarmless(watch.stderr);
    for (const said of ["was not granted", "the gateway says", "no connection", "refuses"])
      assert.ok(watch.stderr.includes(said), `${said}: ${watch.stderr}`);
    if (more.length === 0) return;
    const lines = watch.stdout.trimEnd().split("\n");
    assert.ok(
      lines.some((line) => JSON.parse(line).reason === EVIL),
      "a program gets the text as it was sent",
    );
  });

test("watch on a terminal writes only the escapes of its own screen", async (t) => {
  const gateway = await FakeGateway.open(t, 10_000, EVIL);
  const watch = new CommandProcess(t, ["watch", "A*", "--url", gateway.url], true);
  const connection = await gateway.next();
  await connection.subscribe();
  sayAll(connection);
  await watch.writes("stdout", /STALE/);
  connection.close(1012, EVIL);
  await watch.writes("stdout", /NO CONNECTION/);
  watch.type("q");
  assert.equal(await watch.end(), 0);
  assertHarmless(watch.stdout.replace(OWN_ESCAPES, ""));
});

test("trace writes nothing that a terminal executes, whatever a gateway or a node sends", async (t) => {
  const gateway = await FakeGateway.open(t, 10_000, EVIL);
  const admin = await serve(t, (_request, response) => response.writeHead(409).end(EVIL));
  const refused = new CommandProcess(t, ["trace", "A", "--url", gateway.url, "--admin", admin]);
  (await gateway.next()).answerPings();
  assert.equal(await refused.end(), 1);
  assert.match(refused.stderr, /^tickgate: http:.*␛/);
  assertHarmless(refused.stderr);

  for (const say of [
    (connection: FakeConnection) => sayAll(connection),
    (connection: FakeConnection) => connection.say(EVIL),
  ]) {
    const told = await serve(t, (_request, response) => response.write('{"line":"following"}\n'));
    const trace = new CommandProcess(t, ["trace", "A", "--url", gateway.url, "--admin", told]);
    const connection = await gateway.next();
    connection.answerPings();
    await connection.subscribe();
    say(connection);
    assert.equal(await trace.end(), 1);
    assertHarmless(trace.stdout);
    assertHarmless(trace.stderr);
    assert.match(trace.stderr, /^tickgate: .*\n$/, "one line, and no stack");
  }
});

test("top writes nothing that a terminal executes, whatever a node sends", async (t) => {
  const told = await serve(t, (_request, response) =>
    response.end(JSON.stringify(nodeReport({ node: EVIL, unready: EVIL }))),
  );
  const top = new CommandProcess(t, ["top", told]);
  assert.equal(await top.end(), 0);
  assert.match(top.stdout, /␛\[2J/);
  assertHarmless(top.stdout);
  const live = new CommandProcess(t, ["top", told], true);
  await live.writes("stdout", /NOT READY/);
  live.type("q");
  assert.equal(await live.end(), 0);
  assertHarmless(live.stdout.replace(OWN_ESCAPES, ""));
});
