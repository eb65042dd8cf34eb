/** CPU and memory of processes, and socket memory of the kernel, from /proc (proc(5)). Linux only. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { UsageError } from "../../src/settings/option.ts";

/** Units per second of the times in /proc, the same on all of Node's platforms. */
const TICKS_PER_SECOND = 100;
/** Indexes of the times in /proc/PID/stat, counted after the command's name. */
const USER_TIME = 11;
const SYSTEM_TIME = 12;
const USUAL_PAGE = 4_096;

export interface ProcessUsage {
  readonly pid: number;
  readonly name: string;
  /** CPU seconds since its start. */
  readonly user: number;
  readonly system: number;
  /** Resident memory, bytes. */
  readonly memory: number;
}

/** All TCP sockets of the machine. */
export interface SocketUsage {
  readonly inUse: number;
  /** The kernel's memory for their buffers, bytes. */
  readonly memory: number;
}

/**
 * Reads a process's usage.
 * @throws UsageError when there is no such process, or no /proc
 */
export function processUsage(pid: number): ProcessUsage {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name is in parentheses and may contain any character.
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

/** A process and all its descendants, such as a supervisor's workers. */
export function withChildren(pid: number): number[] {
  let children: string;
  try {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  } catch {
    return [pid];
  }
  return [pid, ...children.split(" ").filter(Boolean).map(Number).flatMap(withChildren)];
}

/** The sockets of the whole machine; undefined on other systems than Linux. */
export function socketUsage(): SocketUsage | undefined {
  try {
    return readSockets(readFileSync("/proc/net/sockstat", "utf8"), pageSize());
  } catch {
    return undefined;
  }
}

/** @param sockstat the content of /proc/net/sockstat */
export function readSockets(sockstat: string, page: number): SocketUsage | undefined {
  const [, inUse, pages] = /^TCP: inuse (\d+) .*\bmem (\d+)/m.exec(sockstat) ?? [];
  return inUse === undefined ? undefined : { inUse: Number(inUse), memory: Number(pages) * page };
}

/** The limit on open files (Node raises its own to the hard limit); undefined on other systems than Linux. */
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
