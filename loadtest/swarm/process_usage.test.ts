import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { processUsage, readSockets, socketUsage, withChildren } from "./process_usage.ts";

test("the usage of a process grows with its work", () => {
  const before = processUsage(process.pid);
  const own = process.cpuUsage();
  // 0.1 s of work: the kernel counts in units of 0.01 s.
  while (process.cpuUsage(own).user + process.cpuUsage(own).system < 100_000) performance.now();
  const after = processUsage(process.pid);
  const grown = after.user + after.system - before.user - before.system;
  assert.ok(grown >= 0.08, `${grown} s`);
  assert.ok(after.memory > 10_000_000 && after.memory < 10_000_000_000);
});

test("a process that does not exist is an error", () => {
  assert.throws(() => processUsage(2 ** 22 + 1), { name: "UsageError", message: /there is no process/ });
});

test("the children of a process belong to it", async () => {
  const child = spawn(process.execPath, ["-e", "process.stdin.on('end', () => process.exit()).resume()"]);
  await once(child, "spawn");
  assert.ok(withChildren(process.pid).includes(child.pid as number));
  child.stdin.end();
  await once(child, "exit");
});

test("sockets and their memory are read", () => {
  const sockstat =
    "sockets: used 290\nTCP: inuse 5 orphan 0 tw 3 alloc 7 mem 12\nUDP: inuse 1 mem 300\nFRAG: inuse 0 memory 0\n";
  assert.deepEqual(readSockets(sockstat, 4_096), { inUse: 5, memory: 49_152 });
  assert.equal(readSockets("", 4_096), undefined);
  assert.ok((socketUsage()?.inUse ?? 0) >= 0);
});
