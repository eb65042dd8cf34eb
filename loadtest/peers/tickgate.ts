/** Tickgate as a peer: `tickgate feed`, Redis and one `tickgate gateway`. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { productPackageVersion } from "./packages.ts";
import type { Market, Peer, RunningPeer } from "./peer.ts";
import type { ManagedProcess, ProcessGroup } from "./process_group.ts";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** The module of its client protocol. */
export const TICKGATE_CLIENT = fileURLToPath(new URL("../swarm/tickgate_protocol.ts", import.meta.url));

const QUIET = ["--admin-port", "0", "--log-level", "warn"];

/** Starts a gateway on the server's cores, with this connection limit. */
export async function startGateway(
  stage: ProcessGroup,
  command: "gateway" | "all",
  connections: number,
  flags: readonly string[],
): Promise<{ process: ManagedProcess; port: number }> {
  const started = stage.start(`tickgate ${command}`, "server", process.execPath, [
    ...[MAIN, command, ...QUIET, "--port", "0", "--max-connections-per-address", String(connections), ...flags],
  ]);
  const [, port] = await started.waitForOutput(/stream +ws:\/\/[^/]+:(\d+)\//);
  return { process: started, port: Number(port) };
}

async function start(stage: ProcessGroup, market: Market, interval: number): Promise<RunningPeer> {
  const redis = await stage.startRedis();
  const from = ["--redis-url", redis.url];
  const { process: server, port } = await startGateway(stage, "gateway", market.connections, from);
  return {
    ...{ port, server, helpers: [], redis: redis.process },
    client: { module: TICKGATE_CLIENT, settings: { interval } },
    async publish() {
      const { symbols, rate, seed } = market;
      const feed = stage.start("tickgate feed", "load", process.execPath, [
        ...[MAIN, "feed", ...from, ...QUIET, "--feed", `sim:?symbols=${symbols}&rate=${rate}&seed=${seed}`],
      ]);
      await feed.waitForOutput(/metrics /);
      return feed;
    },
  };
}

/** The package version and the commit. */
export function tickgateVersion(): string {
  let commit = "";
  try {
    commit = ` (${execFileSync("git", ["rev-parse", "--short", "HEAD"], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "ignore"],
    })
      .toString()
      .trim()})`;
  } catch {
    // Not a Git checkout: only the version is known.
  }
  return `${productPackageVersion("..")}${commit}`;
}

/** @param interval that the clients request, ms */
export function tickgate(interval: number): Peer {
  return {
    name: `tickgate-${interval}`,
    title: `Tickgate, ${interval === 0 ? "every tick" : `${interval} ms`}`,
    isVariant: false,
    use: "`tickgate feed` → Redis → `tickgate gateway`, all defaults; MessagePack",
    missing: () => undefined,
    version: tickgateVersion,
    start: (stage, market) => start(stage, market, interval),
  };
}
