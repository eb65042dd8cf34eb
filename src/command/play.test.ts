import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

function play(...args: string[]) {
  return spawn(process.execPath, [path("../main.ts"), "play", ...args], { stdio: ["ignore", "pipe", "pipe"] });
}

for (const signal of ["SIGINT", "SIGTERM"] as const)
  test(`it prints its address, plays, and ends on ${signal}`, async (t) => {
    const child = play(path("../feed/fixtures/binance.txt"), "--speed", "0");
    t.after(() => child.kill("SIGKILL"));
    const [address] = await once(createInterface(child.stdout), "line");
    assert.match(address, /^ws:\/\/127\.0\.0\.1:\d+$/);
    const socket = new WebSocket(`${address}/stream?streams=bnbusdt@bookTicker`);
    const [message] = await once(socket, "message");
    assert.equal(JSON.parse(message.toString()).data.s, "BNBUSDT");
    const exit = once(child, "exit");
    child.kill(signal);
    assert.deepEqual(await exit, [0, null]);
  });

test("a file that is no capture is one line of explanation and exit code 2", async (t) => {
  const child = play(path("./play.ts"));
  t.after(() => child.kill("SIGKILL"));
  let complaint = "";
  child.stderr.on("data", (data) => {
    complaint += data;
  });
  const [code] = await once(child, "close");
  assert.equal(code, 2);
  assert.match(complaint, /^tickgate: .*play\.ts:1: is not a line of a capture.*\n$/);
});
