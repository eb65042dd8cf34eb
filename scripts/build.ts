/**
 * `npm run build`: what browsers and programs load, into dist/. The server runs its sources as they are. With a word, only
 * that part: `web`, the watchlist, or `client`, the library.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type BuiltFile, buildWeb, FIRST_LOAD_BUDGET } from "./build_web.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const started = performance.now();
const only = process.argv[2];

if (only !== "client") {
  const files = await buildWeb(`${ROOT}src/web`, `${ROOT}dist/web`);
  say("watchlist:");
  for (const file of files) tell(file);
  const first = files.filter((file) => file.isFirst).reduce((sum, file) => sum + file.gzip, 0);
  say(`  the first load has ${kilobytes(first).trim()} of scripts (gzip), of ${kilobytes(FIRST_LOAD_BUDGET).trim()}`);
}
const client = new URL("./build_client.ts", import.meta.url);
if (only !== "web" && existsSync(client)) {
  const { buildClient } = (await import(client.href)) as { buildClient(): Promise<Omit<BuiltFile, "isFirst">[]> };
  say("client library:");
  for (const file of await buildClient()) tell(file);
}
say(`built in ${Math.round(performance.now() - started)} ms`);

function tell({ name, bytes, gzip, brotli }: Omit<BuiltFile, "isFirst">): void {
  say(`  ${name.padEnd(32)}${kilobytes(bytes)} ${kilobytes(gzip)} gzip ${kilobytes(brotli)} brotli`);
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1_024).toFixed(1)} KB`.padStart(9);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
