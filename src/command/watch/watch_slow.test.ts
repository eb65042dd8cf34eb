/** `tickgate watch` as it is run: a process of its own against a real gateway. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { freePort, LiveGateway } from "../../../test/support/client_gateway.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
/** How long a test waits for a line or an end, ms: a process of Node's starts in half a second. */
const DEADLINE = 20_000;

/** A watch that runs. */
class Watch {
  readonly child: ChildProcess;
  readonly #lines: Lines;
  readonly #said: Lines;
  errors = "";

  constructor(t: TestContext, args: string[]) {
    this.child = spawn(process.execPath, [MAIN, "watch", ...args], { stdio: ["ignore", "pipe", "pipe"] });
    this.child.stderr?.on("data", (text) => {
      this.errors += text;
    });
    this.#lines = new Lines(this.child.stdout as NodeJS.ReadableStream);
    this.#said = new Lines(this.child.stderr as NodeJS.ReadableStream);
    t.after(() => this.child.kill("SIGKILL"));
  }

  /** The next line of standard output that holds the text. */
  line(text: string): Promise<string> {
    return this.#lines.next(text);
  }

  /** The next line of standard error that holds the text. */
  said(text: string): Promise<string> {
    return this.#said.next(text);
  }

  /** The exit code. */
  async end(): Promise<number | null> {
    if (this.child.exitCode !== null) return this.child.exitCode;
    const [code] = await once(this.child, "exit", { signal: AbortSignal.timeout(DEADLINE) });
    return code;
  }
}

/** The lines of a stream, each kept until it has been looked at. */
class Lines {
  readonly #kept: string[] = [];
  #look = () => {};

  constructor(stream: NodeJS.ReadableStream) {
    createInterface(stream).on("line", (line) => {
      this.#kept.push(line);
      this.#look();
    });
  }

  /** The next line that holds the text; those before it are gone. */
  next(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`waited ${DEADLINE} ms for ${text}`)), DEADLINE);
      this.#look = () => {
        while (this.#kept.length > 0) {
          const line = this.#kept.shift() as string;
          if (!line.includes(text)) continue;
          clearTimeout(timer);
          this.#look = () => {};
          return resolve(line);
        }
      };
      this.#look();
    });
  }
}

async function openGateway(t: TestContext, port = 0): Promise<LiveGateway> {
  const gateway = await LiveGateway.open({ port });
  t.after(() => gateway.cut());
  gateway.tick("V:A", 10, 11, 1_700_000_000_123_000);
  return gateway;
}

test("what is wrong on the command line is said in one line, with exit code 2", () => {
  for (const [args, message] of [
    [[], "watch takes symbols or patterns: tickgate watch 'SIM:*'"],
    [["A", "b c"], '"b c" is not 1 to 64 of A-Z a-z 0-9 . _ - : / = ^ & + @ ! $ ~ (or a prefix and *)'],
    [["A", "--url", "http://x"], '--url must be an address that starts with ws:// or wss://, not "http://x"'],
  ] as const) {
    const { status, stderr, stdout } = spawnSync(process.execPath, [MAIN, "watch", ...args], { encoding: "utf8" });
    assert.deepEqual([status, stderr, stdout], [2, `tickgate: ${message}\n`, ""]);
  }
});

test("plain lines for a pipe, one a tick and one a status, until SIGTERM", async (t) => {
  const gateway = await openGateway(t);
  const watch = new Watch(t, ["V:*", "--url", gateway.url, "--interval", "0"]);
  assert.equal(await watch.line("V:A"), "2023-11-14T22:13:20.123Z V:A last=- bid=10 ask=11 seq=1");
  gateway.publisher.stale("the exchange is silent");
  assert.match(await watch.line("stale"), /^20\S+Z V:A stale: the exchange is silent$/);
  watch.child.kill("SIGTERM");
  assert.equal(await watch.end(), 0);
  assert.equal(watch.errors, "");
});

test("JSON lines for a program", async (t) => {
  const gateway = await openGateway(t);
  const watch = new Watch(t, ["V:A", "--url", gateway.url, "--json"]);
  const connection = JSON.parse(await watch.line("connection"));
  assert.deepEqual([connection.type, connection.state, connection.node], ["connection", "open", "test"]);
  const { sentAt, ...tick } = JSON.parse(await watch.line("tick"));
  assert.ok(sentAt > 1_700_000_000_000_000);
  const nulls = { bidSize: null, askSize: null, last: null, lastSize: null, open: null, high: null, low: null };
  assert.deepEqual(tick, {
    type: "tick",
    symbol: "V:A",
    seq: 1,
    eventTime: 1_700_000_000_123_000,
    conflated: 0,
    bid: 10,
    ask: 11,
    ...nulls,
    volume: null,
  });
  gateway.publisher.closed("end of input");
  const status = JSON.parse(await watch.line("status"));
  assert.deepEqual([status.symbol, status.state, status.reason], ["V:A", "closed", "end of input"]);
});

test("a reader that goes ends it quietly", async (t) => {
  const gateway = await openGateway(t);
  const watch = new Watch(t, ["V:A", "--url", gateway.url, "--interval", "0"]);
  await watch.line("V:A");
  watch.child.stdout?.destroy();
  const ticking = setInterval(() => gateway.tick("V:A", 1, 2), 5);
  t.after(() => clearInterval(ticking));
  assert.equal(await watch.end(), 0);
  assert.equal(watch.errors, "");
});

test("a gateway that is not there is said once, and found when it comes and when it comes back", async (t) => {
  const port = await freePort();
  const watch = new Watch(t, ["V:A", "--url", `ws://127.0.0.1:${port}/v1/stream`, "--json"]);
  assert.match(await watch.said("no connection"), /^tickgate: no connection to ws:.*ECONNREFUSED.*; trying again$/);
  // Found at the second attempt or later: the first one has failed.
  const first = await openGateway(t, port);
  assert.equal(await watch.said("connected"), "tickgate: connected to test");
  await watch.line("tick");
  await first.drain();
  assert.match(JSON.parse(await watch.line('"waiting"')).reason, /the gateway is restarting/);
  await openGateway(t, port);
  await watch.line("tick");
  assert.equal(watch.errors.match(/no connection/g)?.length, 2);
});

test("a refusal for good ends it with exit code 1 and one line", async (t) => {
  for (const status of [400, 403]) {
    const server = createServer();
    server.on("upgrade", (_request, socket) => socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`));
    server.listen(0, "127.0.0.1");
    t.after(() => server.close());
    await once(server, "listening");
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/v1/stream`;
    const watch = new Watch(t, ["A", "--url", url]);
    assert.equal(await watch.end(), 1);
    assert.equal(watch.errors, `tickgate: ${url} refuses: Unexpected server response: ${status}\n`);
  }
});

test("what there is no tick of is said on standard error, in JSON mode too, and what there is comes all the same", async (t) => {
  const gateway = await openGateway(t);
  for (const [prefix, ...more] of [["ZZZ:"], ["YYY:", "--json"]]) {
    const watch = new Watch(t, [`${prefix}*`, "NOPE", "V:A", "--url", gateway.url, ...more]);
    assert.equal(await watch.said(prefix), `tickgate: no symbol matches ${prefix}* yet; waiting`);
    assert.match(
      await watch.said("NOPE"),
      /^tickgate: (the gateway has no symbol|there is no tick of) NOPE yet; waiting$/,
    );
    assert.ok(!watch.errors.includes("V:A"));
    gateway.tick(`${prefix}1`, 1, 2);
    await watch.line(`${prefix}1`);
  }
});

test("on a terminal: a table that gives the screen back, by key and by signal", async (t) => {
  const gateway = await openGateway(t);
  for (const way of ["q", "\x03", "SIGTERM"]) {
    const command = `stty cols 100 rows 12; exec '${process.execPath}' '${MAIN}' watch 'V:*' --url ${gateway.url}`;
    const child = spawn("script", ["-qefc", command, "/dev/null"], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, TERM: "xterm", SHELL: "/bin/sh" },
      detached: true,
    });
    t.after(() => child.kill("SIGKILL"));
    let shown = "";
    const seen = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`waited for the table: ${JSON.stringify(shown)}`)), DEADLINE);
      child.stdout.on("data", (text) => {
        shown += text;
        if (!/V:A .*live/s.test(shown) || !shown.includes("connected to test")) return;
        clearTimeout(timer);
        resolve();
      });
    });
    await seen;
    assert.ok(shown.includes("\x1b[?1049h") && shown.includes("\x1b[?25l"));
    assert.ok(!shown.includes("\x1b[?1049l"));
    const ended = once(child, "close", { signal: AbortSignal.timeout(DEADLINE) });
    if (way === "SIGTERM") {
      // The watch is the only child of script's.
      const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8");
      process.kill(Number(children.trim()), "SIGTERM");
    } else child.stdin.write(way);
    const [code] = await ended;
    assert.equal(code, 0, way === "\x03" ? "Ctrl-C" : way);
    assert.ok(shown.endsWith("\x1b[?7h\x1b[?25h\x1b[?1049l"), JSON.stringify(shown.slice(-80)));
  }
});
