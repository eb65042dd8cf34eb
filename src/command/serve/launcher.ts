/** How a process that bin/tickgate.js has started ends with it: a launcher that is killed cannot pass a signal on. */
import cluster from "node:cluster";

/**
 * Ends this process as SIGTERM does once the launcher is gone, however that ended. What shows it is the channel that
 * Node opens between the two, which closes with either end on every platform; standard input is free for a feed.
 */
export function endWithLauncher(): void {
  // Without a launcher there is no channel; that of a worker is its supervisor's.
  if (process.send === undefined || cluster.isWorker) return;
  // The launcher may have ended while the modules were loaded.
  if (!process.connected) process.exit(1);
  process.on("disconnect", () => {
    // Not process.kill: on Windows that is an end without a drain.
    if (!process.emit("SIGTERM", "SIGTERM")) process.exit(1);
  });
  // The channel alone does not keep a command that is through.
  process.channel?.unref();
}
