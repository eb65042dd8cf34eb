/** Ends a process together with its launcher, bin/tickgate.js: a launcher that is killed cannot forward a signal. */
import cluster from "node:cluster";

/**
 * Ends this process like SIGTERM when the launcher is gone, for whatever reason. The IPC channel between the two closes
 * with either process on every platform; standard input stays free for a feed.
 */
export function endWithLauncher(): void {
  // Without a launcher there is no channel; the channel of a worker belongs to its supervisor.
  if (process.send === undefined || cluster.isWorker) return;
  // The launcher may have ended while the modules were loaded.
  if (!process.connected) process.exit(1);
  process.on("disconnect", () => {
    // Not process.kill: on Windows it ends the process without a drain.
    if (!process.emit("SIGTERM", "SIGTERM")) process.exit(1);
  });
  // The channel alone must not keep a finished command running.
  process.channel?.unref();
}
