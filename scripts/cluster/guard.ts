/**
 * Ends the cluster's remaining processes when the cluster's own process dies. It reads started (`+PID`) and ended
 * (`-PID`) processes from standard input; the end of the input means that the cluster's process has ended. The argument
 * is the cluster's folder, which it deletes.
 */
import { rmSync } from "node:fs";
import { createInterface } from "node:readline";

/** How long the processes may take to end after SIGTERM, in milliseconds. */
const GRACE = 5_000;
/** The pause between two checks, in milliseconds. */
const CHECK_PAUSE = 50;

const running = new Set<number>();

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

// It ignores signals, because it must end after the cluster. It has its own session, so the terminal sends it none.
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
  await new Promise((resolve) => setTimeout(resolve, CHECK_PAUSE));
}
for (const pid of running) signal(pid, "SIGKILL");
const [, , folder] = process.argv;
if (folder) rmSync(folder, { recursive: true, force: true });
