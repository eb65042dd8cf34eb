/** Tickgate itself, as a peer among peers: `tickgate feed`, Redis, and one `tickgate gateway`. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { productPackageVersion } from "./packages.ts";
import type { Market, Peer, RunningPeer } from "./peer.ts";
import type { Stage } from "./stage.ts";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const CLIENT = fileURLToPath(new URL("../swarm/tickgate_protocol.ts", import.meta.url));

async function start(stage: Stage, market: Market, interval: number): Promise<RunningPeer> {
  const redis = await stage.redis();
  const own = ["--redis-url", redis.url, "--admin-port", "0", "--log-level", "warn"];
  const most = ["--max-connections-per-address", String(market.connections)];
  const gateway = stage.run("tickgate gateway", "server", process.execPath, [
    ...[MAIN, "gateway", ...own, "--port", "0", ...most],
  ]);
  const [, port] = await gateway.said(/stream +ws:\/\/[^/]+:(\d+)\//);
  return {
    ...{ port: Number(port), server: gateway, helpers: [], redis: redis.process },
    client: { module: CLIENT, settings: { interval } },
    async publish() {
      const { symbols, rate, seed } = market;
      const feed = stage.run("tickgate feed", "load", process.execPath, [
        ...[MAIN, "feed", ...own, "--feed", `sim:?symbols=${symbols}&rate=${rate}&seed=${seed}`],
      ]);
      await feed.said(/metrics /);
      return feed;
    },
  };
}

function version(): string {
  let commit = "";
  try {
    commit = ` (${execFileSync("git", ["rev-parse", "--short", "HEAD"], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "ignore"],
    })
      .toString()
      .trim()})`;
  } catch {
    // Not from a checkout: the number must do.
  }
  return `${productPackageVersion("..")}${commit}`;
}

/** @param interval milliseconds, as the clients ask for it */
export function tickgate(interval: number): Peer {
  return {
    name: `tickgate-${interval}`,
    title: `Tickgate, ${interval === 0 ? "every tick" : `${interval} ms`}`,
    isVariant: false,
    use: `\`tickgate feed\` → Redis → \`tickgate gateway\`, all defaults; clients subscribe in MessagePack with \`interval\` ${interval}`,
    missing: () => undefined,
    version,
    start: (stage, market) => start(stage, market, interval),
  };
}
