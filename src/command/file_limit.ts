/** How many files a process may have open: each connection takes one. */
import { readFileSync } from "node:fs";

/** What a process needs besides its connections: its own files, Redis, venues, the admin port. */
const OTHER_FILES = 256;

/**
 * The most connections that the system's limit on open files leaves room for; undefined where the system does not say
 * (it is not Linux). Node raises its soft limit to the hard one when it starts.
 */
export function connectionsPossible(): number | undefined {
  let limits: string;
  try {
    limits = readFileSync("/proc/self/limits", "utf8");
  } catch {
    return undefined;
  }
  return possibleWith(limits);
}

/** @param limits what /proc/self/limits says, see https://man7.org/linux/man-pages/man5/proc_pid_limits.5.html */
export function possibleWith(limits: string): number | undefined {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
  return soft === undefined ? undefined : Math.max(1, Number(soft) - OTHER_FILES);
}
