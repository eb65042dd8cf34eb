/**
 * `npm run measure:client`: the size of the client library, and its main-thread time for 1,000 ticks in Node and, if it
 * is installed, in Chromium. Compare ratios of one run; absolute times differ between machines.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { buildClient, CLIENT_BUDGET } from "./build_client.ts";
import type { BenchOptions, BenchResult, runBench } from "./client_bench.ts";

const BENCH: BenchOptions = { symbols: 1_000, ticksPerFrame: 100, frames: 500, rounds: 15 };
const CHROMIUMS = [
  process.env.CHROMIUM ?? "",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

/** Bundles the benchmark with the built library. */
async function bundle(format: "esm" | "iife", library: string): Promise<string> {
  const bench = fileURLToPath(new URL("client_bench.ts", import.meta.url));
  const code = `import { TickgateClient } from ${JSON.stringify(library)};
import { runBench } from ${JSON.stringify(bench)};
export const run = (options) => runBench(TickgateClient, options);`;
  const result = await build({
    stdin: { contents: code, resolveDir: fileURLToPath(new URL(".", import.meta.url)) },
    bundle: true,
    format,
    globalName: "bench",
    platform: "browser",
    minify: true,
    write: false,
  });
  return result.outputFiles[0].text;
}

async function inNode(folder: string, library: string): Promise<BenchResult> {
  const path = join(folder, "bench.mjs");
  writeFileSync(path, await bundle("esm", library));
  const { run } = (await import(pathToFileURL(path).href)) as {
    run(options: BenchOptions): ReturnType<typeof runBench>;
  };
  return run(BENCH);
}

async function inChromium(executablePath: string, library: string): Promise<BenchResult> {
  const browser = await chromium.launch({
    executablePath,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
  });
  try {
    const page = await browser.newPage();
    await page.addScriptTag({ content: await bundle("iife", library) });
    return (await page.evaluate(`bench.run(${JSON.stringify(BENCH)})`)) as BenchResult;
  } finally {
    await browser.close();
  }
}

function printResult(where: string, { client, clientJson, msgpackr, json }: BenchResult): void {
  const millis = (value: number) => `${value.toFixed(3)} ms`;
  const ratio = (value: number, base: number) => `${(value / base).toFixed(2)} of`;
  say(`${where}, main thread, 1,000 ticks of ten fields, ${BENCH.ticksPerFrame} in a frame:`);
  say(`  the library, MessagePack   ${millis(client)}   decoded, checked, stored, one callback per tick`);
  say(`  the library, JSON          ${millis(clientJson)}`);
  say(
    `  msgpackr and a Map         ${millis(msgpackr)}   decoded only; the library takes ${ratio(client, msgpackr)} it`,
  );
  say(`  JSON.parse and a Map       ${millis(json)}   decoded only; the library takes ${ratio(client, json)} it`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

const folder = mkdtempSync(join(tmpdir(), "tickgate-measure-"));
try {
  const target = join(folder, "client");
  say(`size, bytes; ${CLIENT_BUDGET} as gzip is the most that tickgate/client may have:`);
  for (const { name, bytes, gzip, brotli } of await buildClient(target))
    say(`  ${name.padEnd(12)} ${bytes} minified, ${gzip} gzip, ${brotli} brotli`);
  const library = join(target, "index.js");
  printResult(`Node ${process.versions.node}`, await inNode(folder, library));
  const found = CHROMIUMS.find((path) => path !== "" && existsSync(path));
  if (found) printResult("Chromium", await inChromium(found, library));
  else say("Chromium: not found; CHROMIUM=PATH names one");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
