/**
 * How much of the CPU time that this machine asked for it was given. A virtual machine whose host is busy waits for it
 * ("steal" in proc(5), /proc/stat); what is to be done within a time then takes longer by that, whoever wrote the program.
 */
import { existsSync, readFileSync } from "node:fs";

/** Where /proc/stat has, behind the line's name: time that was worked, and time that was waited for the host. */
const WORKED = [0, 1, 2, 5, 6];
const STOLEN = 7;
/** The unit of these times, a second's part. */
const KERNEL_HERTZ = 100;

/** What all processors together have done since the machine was started, seconds; 0 on a system that does not tell. */
export function machineTime(): { readonly worked: number; readonly stolen: number } {
  if (!existsSync("/proc/stat")) return { worked: 0, stolen: 0 };
  const [, ...times] = readFileSync("/proc/stat", "utf8").split("\n", 1)[0].split(/ +/).map(Number);
  const worked = WORKED.reduce((sum, index) => sum + times[index], 0);
  return { worked: worked / KERNEL_HERTZ, stolen: times[STOLEN] / KERNEL_HERTZ };
}

export class CpuSteal {
  readonly #before = machineTime();

  /** The share that was given since the beginning: 1 where the machine is its own. */
  get grantedShare(): number {
    const now = machineTime();
    const worked = now.worked - this.#before.worked;
    const stolen = now.stolen - this.#before.stolen;
    return worked > 0 ? worked / (worked + stolen) : 1;
  }
}
