/**
 * How much of the requested CPU time this virtual machine got. When the host is busy, the machine waits ("steal" in
 * proc(5), /proc/stat), and every program takes longer.
 */
import { existsSync, readFileSync } from "node:fs";

/** Fields of the `cpu` line of /proc/stat: working time, and time spent waiting for the host. */
const WORKED = [0, 1, 2, 5, 6];
const STOLEN = 7;
/** Units per second. */
const KERNEL_HERTZ = 100;

/** Times of all processors since boot, seconds; 0 on systems without /proc/stat. */
export function machineTime(): { readonly worked: number; readonly stolen: number } {
  if (!existsSync("/proc/stat")) return { worked: 0, stolen: 0 };
  const [, ...times] = readFileSync("/proc/stat", "utf8").split("\n", 1)[0].split(/ +/).map(Number);
  const worked = WORKED.reduce((sum, index) => sum + times[index], 0);
  return { worked: worked / KERNEL_HERTZ, stolen: times[STOLEN] / KERNEL_HERTZ };
}

export class CpuSteal {
  readonly #before = machineTime();

  /** The granted share of CPU time since construction; 1 on a machine without steal time. */
  get grantedShare(): number {
    const now = machineTime();
    const worked = now.worked - this.#before.worked;
    const stolen = now.stolen - this.#before.stolen;
    return worked > 0 ? worked / (worked + stolen) : 1;
  }
}
