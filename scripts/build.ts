/**
 * `npm run build`: builds the watchlist and the client library into dist/. The server runs from its sources. The
 * argument `web` or `client` builds only that part.
 */
import { fileURLToPath } from "node:url";
import { buildClient, type ModuleSize } from "./build_client.ts";
import { buildWeb, FIRST_LOAD_BUDGET } from "./build_web.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const started = performance.now();
const only = process.argv[2];

if (only !== "client") {
  const files = await buildWeb(`${ROOT}src/web`, `${ROOT}dist/web`);
  say("watchlist:");
  for (const file of files) printSize(file);
  const first = files.filter((file) => file.isFirst).reduce((sum, file) => sum + file.gzip, 0);
  say(`  the first load has ${kilobytes(first).trim()} of scripts (gzip), of ${kilobytes(FIRST_LOAD_BUDGET).trim()}`);
}
if (only !== "web") {
  say("client library:");
  for (const file of await buildClient()) printSize(file);
}
say(`built in ${Math.round(performance.now() - started)} ms`);

function printSize({ name, bytes, gzip, brotli }: ModuleSize): void {
  say(`  ${name.padEnd(32)}${kilobytes(bytes)} ${kilobytes(gzip)} gzip ${kilobytes(brotli)} brotli`);
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1_024).toFixed(1)} KB`.padStart(9);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
