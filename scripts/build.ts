/** `npm run build`: what browsers and programs load, into dist/. The server runs its sources as they are. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { buildWeb } from "./build_web.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const started = performance.now();

const sizes = await buildWeb(`${ROOT}src/web`, `${ROOT}dist/web`);
for (const { name, bytes, gzip, brotli } of sizes)
  say(`  ${name.padEnd(32)}${kilobytes(bytes)} ${kilobytes(gzip)} gzip ${kilobytes(brotli)} brotli`);

const client = new URL("./build_client.ts", import.meta.url);
if (existsSync(client)) {
  const { buildClient } = (await import(client.href)) as { buildClient(): Promise<void> };
  await buildClient();
}
say(`built in ${Math.round(performance.now() - started)} ms`);

function kilobytes(bytes: number): string {
  return `${(bytes / 1_024).toFixed(1)} KB`.padStart(9);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
