/**
 * The built client library: small, without anything of Node's, with types that older compilers accept.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { before, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildClient, CLIENT_BUDGET, type ModuleSize, TOTAL_BUDGET } from "../scripts/build_client.ts";
import { type BenchOptions, runBench } from "../scripts/client_bench.ts";
import { LiveGateway } from "./support/client_gateway.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DIST = join(ROOT, "dist/client");
const TSC = fileURLToPath(new URL("bin/tsc", import.meta.resolve("@typescript/native/package.json")));

let sizes: ModuleSize[] = [];
before(async () => {
  sizes = await buildClient();
});

test("the library is one module within its budget, without imports and anything of Node's", () => {
  assert.equal(CLIENT_BUDGET, 10_240);
  assert.deepEqual(
    sizes.map(({ name }) => name),
    ["index.js", "observe.js", "books.js", "trades.js", "bars.js"],
  );
  assert.ok(sizes[0].gzip <= CLIENT_BUDGET, `${sizes[0].gzip} bytes`);
  const total = sizes.reduce((sum, { gzip }) => sum + gzip, 0);
  assert.ok(total <= TOTAL_BUDGET, `${total} bytes in all`);
  for (const { name } of sizes) {
    const code = readFileSync(join(DIST, name), "utf8");
    const found = /\bimport\b|\brequire\(|\bprocess\.|\bBuffer\b|\bglobal\.|"node:|\beval\(|new Function/.exec(code);
    assert.equal(found?.[0], undefined);
    for (const module of builtinModules) assert.ok(!code.includes(`"${module}"`), `${name} names ${module}`);
  }
});

test("its types are for older compilers too: typed arrays are generic only since TypeScript 5.7", () => {
  const folder = join(DIST, "types");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".d.ts"));
  assert.ok(files.length > 20);
  for (const file of files) assert.doesNotMatch(readFileSync(join(folder, file), "utf8"), /Array<ArrayBuffer/, file);
});

test("the built library costs the main thread at most a few times as much as decoding alone", async () => {
  const { TickgateClient } = (await import(join(DIST, "index.js"))) as typeof import("../src/client/client.ts");
  const options: BenchOptions = { symbols: 200, ticksPerFrame: 100, frames: 100, rounds: 10 };
  const { client, json, msgpackr } = runBench(TickgateClient, options);
  // Measured: two of msgpackr, one of JSON.parse.
  assert.ok(client < 5 * msgpackr && client < 4 * json, JSON.stringify({ client, json, msgpackr }));
});

/** A project outside of this one that uses the package. */
function projectOf(t: TestContext, source: string): string {
  const folder = mkdtempSync(join(tmpdir(), "tickgate-consumer-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(ROOT, join(folder, "node_modules/tickgate"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "main.ts"), source);
  return folder;
}

const CONSUMER = `import { type Quote, TickgateClient, TickgateError, VIOLATIONS } from "tickgate/client";
import { bars } from "tickgate/client/bars";
import { BOOKS } from "tickgate/client/books";
import { observe } from "tickgate/client/observe";
import { TRADES } from "tickgate/client/trades";

const client = new TickgateClient("wss://prices.example/v1/stream", { hiddenInterval: 1_000 });
const screen = client.subscribe(["A", "B:*"], { interval: 250, fields: ["bid", "ask"] }, (quote) => {
  const bid: number | null = quote.bid;
  const state: "live" | "stale" | "closed" | "unknown" = quote.state;
  // @ts-expect-error there is no such field
  quote.get("price");
  void [bid, state];
});
screen.showOnly(["A"]);
screen.change({ interval: 0 });
// @ts-expect-error an interval is a number
client.subscribe("A", { interval: "250" });
// @ts-expect-error the client's data is read-only
screen.quotes.clear();
client.on("state", (state: "connecting" | "live" | "stale" | "closed") => void state);
client.on("error", (error) => void [error instanceof TickgateError, error.code, error.retryable]);
client.on("connection", (connection) => {
  if (connection.phase === "open") void connection.hello.node;
  if (connection.phase === "waiting") void [connection.reason, connection.retryAt];
});
const tapes = client.subscribe("A", { channel: TRADES, last: 50 }, (tape, trade) => {
  const [missed, price]: [number, number | undefined] = [tape.missed, trade?.price];
  void [missed, price, tape.trades.length];
});
tapes.change({ last: 10 });
// @ts-expect-error a tape has no depth
tapes.change({ depth: 10 });
client.subscribe(["A"], { channel: BOOKS, depth: 5, onStatus: (book) => void book.bids }, ({ asks }) => void asks[0]);
// @ts-expect-error fields are of quotes
client.subscribe("A", { channel: BOOKS, fields: ["bid"] });
const chart = client.subscribe("A", { channel: bars("1m"), last: 500 }, (series, bar) => {
  const [close, isClosed]: [number | undefined, boolean | undefined] = [series.bars.at(-1)?.close, bar?.isClosed];
  void [close, isClosed];
});
// @ts-expect-error no such resolution
bars("2m");
void chart.views;
const broken: number = VIOLATIONS.reduce((sum, name) => sum + client.violations[name], 0);
const age: number | undefined = client.stats.age.p99;
void [broken, age, observe({}, "A", screen)];
export async function first(): Promise<Quote | undefined> {
  for await (const quote of client.subscribe("A")) return quote;
  return undefined;
}
`;

// With and without the types of a browser, and without those of Node.
for (const [name, options] of [
  ["nodenext", { module: "nodenext", lib: ["es2022"] }],
  ["bundler", { module: "esnext", moduleResolution: "bundler", lib: ["es2022", "dom"] }],
] as const)
  test(`a project that resolves modules as ${name} compiles against the types`, (t) => {
    const folder = projectOf(t, CONSUMER);
    const compilerOptions = {
      target: "es2022",
      strict: true,
      noEmit: true,
      types: [],
      skipLibCheck: false,
      ...options,
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["main.ts"] }));
    const { status, stdout } = spawnSync(process.execPath, [TSC, "-p", folder], { encoding: "utf8" });
    assert.equal(stdout, "");
    assert.equal(status, 0);
  });

test("a plain program gets prices from a real gateway", async (t) => {
  const gateway = await LiveGateway.open();
  t.after(() => gateway.cut());
  gateway.tick("SIM:A", 10, 10.5);
  const program = `import { TickgateClient } from "tickgate/client";
    const client = new TickgateClient(${JSON.stringify(gateway.url)});
    for await (const quote of client.subscribe("SIM:*", { fields: ["bid", "ask"] })) {
      console.log(quote.symbol, quote.bid, quote.ask, quote.state);
      break;
    }
    client.close();`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const deadline = setTimeout(() => child.kill("SIGKILL"), 30_000);
  t.after(() => clearTimeout(deadline));
  // It ends by itself: a closed client keeps no timers or sockets.
  assert.equal(await text(child.stdout), "SIM:A 10 10.5 live\n");
});
