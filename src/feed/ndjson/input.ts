/** Where lines come from: a file, a named pipe or standard input. */
import { accessSync, closeSync, constants, createReadStream, openSync, type Stats, statSync } from "node:fs";
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import { UsageError } from "../../settings/option.ts";

export interface Input {
  /** Whether its end is only that of one writer, so that it is to be opened again. */
  readonly isPipe: boolean;
  /** @throws the system's error */
  open(): Readable;
}

/**
 * Finds out now whether there is something to read, so that a wrong name is a mistake in the command line.
 * @param target a path, or `-` for standard input
 * @throws UsageError that says what is wrong with it
 */
export function inputAt(target: string): Input {
  if (target === "") throw new UsageError("names no file; write it behind the colon, or - for standard input");
  if (target === "-") return { isPipe: false, open: () => process.stdin };
  let stats: Stats;
  try {
    stats = statSync(target);
    accessSync(target, constants.R_OK);
  } catch (error) {
    throw new UsageError(`cannot read ${target}: ${(error as Error).message}`, { cause: error });
  }
  if (stats.isDirectory()) throw new UsageError(`cannot read ${target}: it is a directory`);
  if (stats.isSocket()) throw new UsageError(`cannot read ${target}: it is a socket`);
  if (stats.isFIFO()) return { isPipe: true, open: () => openPipe(target) };
  return { isPipe: false, open: () => createReadStream(target) };
}

/** A named pipe that nobody writes to yet would block a thread in open(), and the end of the process with it. */
function openPipe(path: string): Socket {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return new Socket({ fd, writable: false });
  } catch (error) {
    // It is no pipe any more.
    closeSync(fd);
    throw error;
  }
}
