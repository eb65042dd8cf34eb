#!/usr/bin/env node
// Starts src/main.ts, which needs a Node that runs TypeScript as it is (22.18 or later). On an older one it is run by
// the Node that the project brings with it (the package "node").
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const program = process.platform === "win32" ? "node.exe" : "node";
const own = fileURLToPath(new URL(`../node_modules/node/bin/${program}`, import.meta.url));
const [major, minor] = process.versions.node.split(".").map(Number);

if (major === 22 && minor >= 18) {
  await import(main);
} else if (existsSync(own)) {
  // The channel ("ipc") closes when this process ends, however it ends: src/command/serve/launcher.ts then ends the
  // other one.
  const child = spawn(own, [main, ...process.argv.slice(2)], { stdio: ["inherit", "inherit", "inherit", "ipc"] });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
} else {
  const advice = 'run "npm ci" to get it';
  process.stderr.write(`tickgate needs Node 22.18 or a later 22, and this is ${process.version}; ${advice}\n`);
  process.exit(2);
}
