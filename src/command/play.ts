/** `tickgate play FILE`: replays captured traffic of an exchange, for trials without a network. */

import { readCapture } from "../feed/capture/capture.ts";
import { Player } from "../feed/capture/player.ts";
import { createLog } from "../log/log.ts";
import type { CommandLine } from "../settings/command_line.ts";
import { UsageError } from "../settings/option.ts";

/**
 * Listens on the loopback address, prints the WebSocket address on standard output, and ends on SIGINT or SIGTERM.
 * @throws UsageError when there is not exactly one file, it is no capture, or the port is in use
 */
export async function run({ settings, operands }: CommandLine): Promise<void> {
  const [file, ...more] = operands;
  if (file === undefined || more.length > 0)
    throw new UsageError("play takes one capture file: tickgate play FILE [--port N] [--speed N]");
  const { speed, playPort: port } = settings;
  const player = new Player(readCapture(file), { speed, port, log: createLog(settings) });
  let address: string;
  try {
    address = await player.listen();
  } catch (error) {
    throw new UsageError(`cannot listen on port ${port}: ${(error as Error).message}`, { cause: error });
  }
  const ended = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
  process.stdout.write(`${address}\n`);
  await ended;
  await player.close();
}
