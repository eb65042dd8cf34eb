/** What processes take of the machine, as Linux tells it in /proc (proc(5)): CPU, memory, and the kernel's own for sockets. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { UsageError } from "../../src/settings/option.ts";

/** The unit of the times in /proc, a second's part: the same on every machine that Node runs on. */
const TICKS_PER_SECOND = 100;
/** Where in /proc/PID/stat, counted from what follows the command's name, the times stand. */
const USER_TIME = 11;
const SYSTEM_TIME = 12;
const USUAL_PAGE = 4_096;

export interface ProcessUsage {
  readonly pid: number;
  readonly name: string;
  /** Seconds of CPU since it began. */
  readonly user: number;
  readonly system: number;
  /** Resident memory, bytes. */
  readonly memory: number;
}

/** What all TCP sockets of the machine have. */
export interface SocketUsage {
  readonly inUse: number;
  /** The kernel's memory for what is in their buffers, bytes. */
  readonly memory: number;
}

/**
 * Reads what a process has used.
 * @throws UsageError when there is no such process, or no /proc
 */
export function processUsage(pid: number): ProcessUsage {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name stands in parentheses and may hold any character.
    const end = stat.lastIndexOf(")");
    const fields = stat.slice(end + 2).split(" ");
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return {
      pid,
      name: stat.slice(stat.indexOf("(") + 1, end),
      user: Number(fields[USER_TIME]) / TICKS_PER_SECOND,
      system: Number(fields[SYSTEM_TIME]) / TICKS_PER_SECOND,
      memory: Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1_024,
    };
  } catch (error) {
    throw new UsageError(`there is no process ${pid} whose usage can be read in /proc`, { cause: error });
  }
}

/** A process and those that it has started, and they: a supervisor's workers are its load. */
export function withChildren(pid: number): number[] {
  let children: string;
  try {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  } catch {
    return [pid];
  }
  return [pid, ...children.split(" ").filter(Boolean).map(Number).flatMap(withChildren)];
}

/** The sockets of the whole machine; undefined where the system does not tell. */
export function socketUsage(): SocketUsage | undefined {
  try {
    return readSockets(readFileSync("/proc/net/sockstat", "utf8"), pageSize());
  } catch {
    return undefined;
  }
}

/** @param sockstat what /proc/net/sockstat says */
export function readSockets(sockstat: string, page: number): SocketUsage | undefined {
  const [, inUse, pages] = /^TCP: inuse (\d+) .*\bmem (\d+)/m.exec(sockstat) ?? [];
  return inUse === undefined ? undefined : { inUse: Number(inUse), memory: Number(pages) * page };
}

/** How many files a process may have open (Node raises its own limit to the most that is allowed); undefined where the system does not tell. */
export function fileLimit(): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

function pageSize(): number {
  try {
    return Number(execFileSync("getconf", ["PAGESIZE"], { encoding: "utf8" })) || USUAL_PAGE;
  } catch {
    return USUAL_PAGE;
  }
}
