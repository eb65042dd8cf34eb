/** The other servers of a benchmark: Redis, HAProxy and a feed, as the local cluster runs them. */
import { fileURLToPath } from "node:url";
import { ClusterProcess, type ProcessSpec } from "../../scripts/cluster/cluster_process.ts";
import { answersOk, freePorts, redisAnswers } from "../../scripts/cluster/probe.ts";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const BALANCER = fileURLToPath(new URL("../../config/haproxy.cfg", import.meta.url));
const STOP_TIME = 5_000;
/** As many as config/haproxy.cfg has servers. */
const GATEWAYS = [1, 2, 3];

async function started(spec: Omit<ProcessSpec, "stopSignal" | "stopTime" | "log">): Promise<ClusterProcess> {
  const server = new ClusterProcess(
    { ...spec, log: "stderr", stopSignal: "SIGTERM", stopTime: STOP_TIME },
    { line() {}, started() {}, ended() {}, lost() {} },
  );
  await server.start();
  return server;
}

export interface RunningServer {
  readonly port: number;
  readonly process: ClusterProcess;
}

export async function startRedis(folder: string): Promise<RunningServer> {
  const [port] = await freePorts(1);
  const process = await started({
    ...{ name: "redis", program: "redis-server", package: "redis-server" },
    args: ["--bind", "127.0.0.1", "--port", String(port), "--dir", folder, "--save", "", "--loglevel", "warning"],
    ready: () => redisAnswers(port),
  });
  return { port, process };
}

export async function startFeed(redisUrl: string, feed: string): Promise<RunningServer> {
  const [port] = await freePorts(1);
  const process = await started({
    ...{ name: "feed", program: globalThis.process.execPath },
    args: [MAIN, "feed", "--redis-url", redisUrl, "--admin-port", String(port), "--feed", feed],
    ready: () => answersOk(`http://127.0.0.1:${port}/readyz`),
  });
  return { port, process };
}

/** HAProxy with the project's configuration before one gateway. @param tls its `bind` options */
export async function startBalancer(gatewayPort: number, adminPort: number, tls: string): Promise<RunningServer> {
  const [port, own] = await freePorts(2);
  const env: Record<string, string> = {
    ...{ BALANCER_ADDRESS: `127.0.0.1:${port}`, BALANCER_ADMIN_ADDRESS: `127.0.0.1:${own}`, BALANCER_TLS: tls },
  };
  for (const number of GATEWAYS) {
    env[`GATEWAY${number}_ADDRESS`] = `127.0.0.1:${gatewayPort}`;
    env[`GATEWAY${number}_ADMIN_PORT`] = String(adminPort);
  }
  const isUp = async () => {
    const page = await (await fetch(`http://127.0.0.1:${own}/;csv`)).text();
    return /^gateways,gateway1,.*,UP,/m.test(page);
  };
  const process = await started({
    ...{ name: "haproxy", program: "haproxy", package: "haproxy", env },
    args: ["-db", "-f", BALANCER],
    ready: async () => (await answersOk(`http://127.0.0.1:${own}/healthz`)) && isUp(),
  });
  return { port, process };
}
