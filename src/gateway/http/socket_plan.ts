/** Plans how many sockets the clients' port may hold, from the system's limit on open files and the settings. */
import { readFileSync } from "node:fs";

/**
 * Files that a process needs besides its clients' sockets: its own (about 40), the admin port (64), Redis, venues. When
 * the limit is low, half of it.
 */
const OTHER_FILES = 256;
/**
 * Sockets without an upgrade: upgrades under way, and HTTP. A part of all, and never fewer than these: clients of one
 * address that reconnect at the same time may use half of them for their handshakes.
 */
const OTHER_SOCKETS_PART = 8;
const OTHER_SOCKETS_LEAST = 128;

export interface SocketPlan {
  /** WebSockets at once. */
  readonly connections: number;
  /** Sockets at once, WebSockets included; further ones are closed at once. */
  readonly sockets: number;
}

/**
 * The most sockets that the limit on open files allows; undefined when there is no limit, or the system does not
 * report it (Windows). Node raises its soft limit to the hard one when it starts.
 */
export function socketsPossible(): number | undefined {
  const limit = openFileLimit();
  return limit === undefined ? undefined : Math.max(2, limit - Math.min(OTHER_FILES, Math.ceil(limit / 2)));
}

/** Divides the sockets. @param possible the result of {@link socketsPossible} */
export function planSockets(maxConnections: number, possible = socketsPossible()): SocketPlan {
  const wanted = maxConnections + otherSockets(maxConnections);
  if (possible === undefined || wanted <= possible) return { connections: maxConnections, sockets: wanted };
  const others = Math.min(otherSockets(possible), Math.floor(possible / 2));
  return { connections: Math.min(maxConnections, possible - others), sockets: possible };
}

function otherSockets(sockets: number): number {
  return Math.max(OTHER_SOCKETS_LEAST, Math.ceil(sockets / OTHER_SOCKETS_PART));
}

/** This process's soft limit on open files; undefined for none. */
function openFileLimit(): number | undefined {
  let limits: string;
  try {
    limits = readFileSync("/proc/self/limits", "utf8");
  } catch {
    return limitOfReport(reportOfNode());
  }
  return limitOfProc(limits);
}

/** @param limits the text of /proc/self/limits, see https://man7.org/linux/man-pages/man5/proc_pid_limits.5.html */
export function limitOfProc(limits: string): number | undefined {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
  return soft === undefined ? undefined : Number(soft);
}

/** @param report Node's diagnostic report, which has the limits on macOS too */
export function limitOfReport(report: unknown): number | undefined {
  const { userLimits } = (report ?? {}) as { userLimits?: { open_files?: { soft?: unknown } } };
  const soft = Number(userLimits?.open_files?.soft);
  return Number.isFinite(soft) ? soft : undefined;
}

function reportOfNode(): unknown {
  // Without this, Node resolves the host names of all peers, which takes seconds.
  Object.assign(process.report, { excludeNetwork: true });
  return process.report.getReport();
}
