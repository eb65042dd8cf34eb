import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildClient } from "../../scripts/build_client.ts";
import { LiveGateway } from "../../test/support/client_gateway.ts";
import { VIOLATIONS } from "./client.ts";

const DOCS = new URL("../../docs/", import.meta.url);
const PAGE = readFileSync(new URL("client.md", DOCS), "utf8");
const URL_IN_DOCS = "wss://prices.example.com/v1/stream";
/** How long an example may take, ms. */
const DEADLINE = 30_000;

/** What the examples need: a page, and a client if they do not make one. */
const PAGE_OF_EXAMPLES = `
  globalThis.document = {
    visibilityState: "visible",
    addEventListener() {},
    removeEventListener() {},
    getElementById: (id: string) => ({ set textContent(text: string) { console.log("#" + id + " " + text); } }),
  };
  globalThis.IntersectionObserver = class { observe() {} unobserve() {} disconnect() {} };
`;

before(() => buildClient());

/** The examples of the page, and the lines that each must print. */
const examples = [...PAGE.matchAll(/```ts\n(.*?)```/gs)].map(([, code], index) => {
  const expected = [...code.matchAll(/^\/\/ → (.*)$/gm)].map(([, line]) => line);
  const heading = PAGE.slice(0, PAGE.indexOf(code))
    .match(/^## .*$/gm)
    ?.at(-1)
    ?.slice(3);
  return { name: `${index + 1}, ${heading}`, code, expected };
});

/** Whether all expected lines have been printed, in any order. */
function holds(lines: readonly string[], expected: readonly string[]): boolean {
  return expected.every((line) => lines.includes(line));
}

// In parallel: most of the time is waiting for processes to start.
test("the examples of docs/client.md print what they say", { concurrency: 4 }, async (t) => {
  assert.ok(examples.length >= 10);
  const run = async ({ name, code, expected }: (typeof examples)[number]) => {
    assert.ok(expected.length > 0, `example ${name} says nothing`);
    const gateway = await LiveGateway.open(code.includes("too_many_symbols") ? { maxSymbolsPerConnection: 2 } : {});
    const tick = () => {
      gateway.tick("SIM:A", 10, 10.5);
      gateway.tick("SIM:B", 20, 20.5);
      gateway.publisher.tick("COINBASE:BTC-USD", { bid: 64_000, ask: 64_001, last: 64_000.5 }, Date.now() * 1_000);
    };
    tick();
    // showOnly changes the interval after the start: a market without ticks would print nothing then.
    const ticking = code.includes("showOnly(") ? setInterval(tick, 500) : undefined;
    const own = code.includes("new TickgateClient(")
      ? ""
      : `import { TickgateClient } from "tickgate/client"; const client = new TickgateClient("${URL_IN_DOCS}");\n`;
    const program = (PAGE_OF_EXAMPLES + own + code).replaceAll(URL_IN_DOCS, gateway.url);
    const child = spawn(process.execPath, ["--input-type=module-typescript", "--eval", program], {
      cwd: fileURLToPath(DOCS),
      stdio: ["ignore", "pipe", "inherit"],
    });
    const deadline = setTimeout(() => child.kill("SIGKILL"), DEADLINE);
    const lines: string[] = [];
    for await (const line of createInterface(child.stdout)) {
      lines.push(line);
      if (holds(lines, expected)) break;
    }
    clearTimeout(deadline);
    clearInterval(ticking);
    child.kill("SIGKILL");
    gateway.cut();
    assert.ok(holds(lines, expected), `example ${name} printed ${JSON.stringify(lines)}`);
  };
  await Promise.all(examples.map((example) => t.test(`example ${example.name}`, () => run(example))));
});

test("docs/client.md documents every option, event, member and violation", () => {
  const names = (file: string, from: RegExp) => {
    const [, body] = from.exec(readFileSync(new URL(file, import.meta.url), "utf8")) ?? [];
    return [...(body ?? "").matchAll(/^ {2}(?:readonly )?([a-zA-Z]+)[?(:]/gm)].map(([, name]) => name);
  };
  const all = [
    ...names("client.ts", /export interface ClientOptions \{(.*?)\n\}/s),
    ...names("client.ts", /export interface ClientStats \{(.*?)\n\}/s),
    ...names("sync/subscription.ts", /export interface SubscribeOptions [^{]*\{(.*?)\n\}/s),
    ...names("sync/subscription.ts", /export interface Subscription [^{]*\{(.*?)\n\}/s),
    ...names("events.ts", /export interface ClientEvents \{(.*?)\n\}/s),
    ...names("sync/subscription.ts", /export interface CommonOptions [^{]*\{(.*?)\n\}/s),
    ...names("sync/subscription.ts", /export interface CommonSubscription[^{]*\{(.*?)\n\}/s),
    ...names("records/view.ts", /export interface View [^{]*\{(.*?)\n\}/s),
    ...names("quotes/quote.ts", /export interface Quote [^{]*\{(.*?)\n\}/s),
    ...names("trades.ts", /export interface Tape [^{]*\{(.*?)\n\}/s),
    ...names("books.ts", /export interface Book [^{]*\{(.*?)\n\}/s),
    ...VIOLATIONS,
  ];
  assert.ok(all.length > 60, String(all.length));
  for (const name of all) assert.match(PAGE, new RegExp(`\\b${name}\\b`), `${name} is not documented`);
});

test("the library imports nothing of Node's, and of the server only what is shared", () => {
  const folder = new URL("./", import.meta.url);
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
    /(^|\/)[a-z_]+\.ts$/.test(name),
  );
  assert.ok(files.includes("client.ts") && files.includes("observe.ts"));
  const allowed = [
    /^\.\.?\/((sync|quotes|records|connection)\/)?[a-z_]+\.ts$/,
    /^(\.\.\/)+protocol\/(codes|messages)\.ts$/,
    /^(\.\.\/)+base\/(tick|backoff)\.ts$/,
  ];
  for (const file of files) {
    const text = readFileSync(new URL(file, folder), "utf8");
    for (const [, from] of text.matchAll(/\bfrom "([^"]+)"/g))
      assert.ok(
        allowed.some((pattern) => pattern.test(from)),
        `${file} imports ${from}`,
      );
    assert.doesNotMatch(text, /\b(NodeJS|Buffer|process|require)\b[.(]/, file);
  }
});
