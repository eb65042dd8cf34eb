/** The input of lines: a file, a named pipe or standard input. */
import { accessSync, closeSync, constants, createReadStream, openSync, type Stats, statSync } from "node:fs";
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import { UsageError } from "../../settings/option.ts";

export interface Input {
  /** Whether it must be opened again after its end: a pipe ends with each writer. */
  readonly isPipe: boolean;
  /** @throws the system's error */
  open(): Readable;
  /** Makes the end of a pipe known that has no writer; without effect where there is one. */
  probe(): void;
}

/**
 * Checks at the start whether the input can be read, so that a wrong name is a usage error.
 * @param target a path, or `-` for standard input
 * @throws UsageError with the reason
 */
export function inputAt(target: string): Input {
  if (target === "") throw new UsageError("names no file; write it behind the colon, or - for standard input");
  if (target === "-") return { isPipe: false, open: () => process.stdin, probe: () => {} };
  let stats: Stats;
  try {
    stats = statSync(target);
    accessSync(target, constants.R_OK);
  } catch (error) {
    throw new UsageError(`cannot read ${target}: ${(error as Error).message}`, { cause: error });
  }
  if (stats.isDirectory()) throw new UsageError(`cannot read ${target}: it is a directory`);
  if (stats.isSocket()) throw new UsageError(`cannot read ${target}: it is a socket`);
  if (stats.isFIFO()) return { isPipe: true, open: () => openPipe(target), probe: () => probePipe(target) };
  return { isPipe: false, open: () => createReadStream(target), probe: () => {} };
}

/** Opening a named pipe without a writer would block a thread in open(), and the process could not end. */
function openPipe(path: string): Socket {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return new Socket({ fd, writable: false });
  } catch (error) {
    // It is no longer a pipe.
    closeSync(fd);
    throw error;
  }
}

/**
 * Linux reports the end of a pipe only to those who had it open with a writer. A reader that opens it after its writer
 * has left reads what is in it, and then waits for ever. A writer that comes and goes makes the system look again.
 */
function probePipe(path: string): void {
  try {
    closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK));
  } catch {
    // It may be read and not written here, or be gone: then the limit on silence decides.
  }
}
