/** How many sockets the clients' port may hold: what the system's limit on open files leaves, and what the settings ask for. */
import { readFileSync } from "node:fs";

/**
 * Files that a process needs besides its clients' sockets: its own (about 40), the admin port (64), Redis, venues. Where the
 * limit is low it is half of them.
 */
const OTHER_FILES = 256;
/**
 * Sockets that are no WebSocket (yet): upgrades under way, and HTTP. A part of all, and never fewer than these: clients that
 * reconnect all at once from one address have half of them for their handshakes.
 */
const OTHER_SOCKETS_PART = 8;
const OTHER_SOCKETS_LEAST = 128;

export interface SocketPlan {
  /** WebSockets at once. */
  readonly connections: number;
  /** Sockets at once, WebSockets among them; more are closed as they come. */
  readonly sockets: number;
}

/**
 * The most sockets that the system's limit on open files leaves room for; undefined where there is none, or where the system
 * does not say (Windows). Node raises its soft limit to the hard one when it starts.
 */
export function socketsPossible(): number | undefined {
  const limit = openFileLimit();
  return limit === undefined ? undefined : Math.max(2, limit - Math.min(OTHER_FILES, Math.ceil(limit / 2)));
}

/** Shares the sockets out. @param possible as {@link socketsPossible} has it */
export function planSockets(maxConnections: number, possible = socketsPossible()): SocketPlan {
  const wanted = maxConnections + othersOf(maxConnections);
  if (possible === undefined || wanted <= possible) return { connections: maxConnections, sockets: wanted };
  const others = Math.min(othersOf(possible), Math.floor(possible / 2));
  return { connections: Math.min(maxConnections, possible - others), sockets: possible };
}

function othersOf(sockets: number): number {
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

/** @param limits what /proc/self/limits says, see https://man7.org/linux/man-pages/man5/proc_pid_limits.5.html */
export function limitOfProc(limits: string): number | undefined {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
  return soft === undefined ? undefined : Number(soft);
}

/** @param report what Node's diagnostic report says, which has the limits on macOS too */
export function limitOfReport(report: unknown): number | undefined {
  const { userLimits } = (report ?? {}) as { userLimits?: { open_files?: { soft?: unknown } } };
  const soft = Number(userLimits?.open_files?.soft);
  return Number.isFinite(soft) ? soft : undefined;
}

function reportOfNode(): unknown {
  // Names of the other ends would be looked up, which takes seconds.
  Object.assign(process.report, { excludeNetwork: true });
  return process.report.getReport();
}
