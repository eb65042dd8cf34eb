/**
 * Outlives the cluster's own process for a moment: ends what is left of its parts, when it has died without doing so.
 * On standard input it is told what runs (`+PID`) and what has ended (`-PID`); the end of the input is the end of the
 * cluster's process, however it came. The argument is the cluster's folder, which goes with it.
 */
import { rmSync } from "node:fs";
import { createInterface } from "node:readline";

/** How long the parts have to end by themselves, in milliseconds. */
const GRACE = 5_000;
/** How often to look whether they have, in milliseconds. */
const LOOK = 50;

const running = new Set<number>();

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

// It has a session of its own and hears nothing of the terminal; told to end all the same, it has its duty first.
for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(name, () => {});

for await (const line of createInterface(process.stdin)) {
  const pid = Number(line.slice(1));
  if (line.startsWith("+")) running.add(pid);
  else running.delete(pid);
}

for (const pid of running) signal(pid, "SIGTERM");
for (const end = performance.now() + GRACE; performance.now() < end; ) {
  for (const pid of running) if (!signal(pid, 0)) running.delete(pid);
  if (running.size === 0) break;
  await new Promise((resolve) => setTimeout(resolve, LOOK));
}
for (const pid of running) signal(pid, "SIGKILL");
const [, , folder] = process.argv;
if (folder) rmSync(folder, { recursive: true, force: true });
