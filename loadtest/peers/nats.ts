/** NATS: subjects, core messages, clients on its WebSocket port. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Peer } from "./peer.ts";
import { freePort } from "./process_group.ts";
import { publisher } from "./publishers.ts";

const CLIENT = fileURLToPath(new URL("protocols/nats.ts", import.meta.url));
/** Debian installs it in a folder that only root's PATH has. */
const PROGRAMS = ["nats-server", "/usr/sbin/nats-server"];

function found(): { program: string; version: string } | undefined {
  for (const program of PROGRAMS) {
    const { status, stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
    if (status === 0) return { program, version: stdout.replace(/^nats-server: v/, "").trim() };
  }
  return undefined;
}

export const NATS: Peer = {
  name: "nats",
  title: "NATS",
  isVariant: false,
  use:
    "publisher → `nats-server` → its WebSocket port; core messages, a subject per symbol, MessagePack, no compression; " +
    "no Redis, since NATS is the bus",
  missing: () => (found() ? undefined : "nats-server is missing: apt-get install nats-server"),
  version: () => found()?.version ?? "",
  async start(stage, market) {
    const [port, webSocketPort] = [await freePort(), await freePort()];
    const config = stage.file("nats.conf");
    writeFileSync(
      config,
      `host: 127.0.0.1\nport: ${port}\nwebsocket {\n  host: 127.0.0.1\n  port: ${webSocketPort}\n  no_tls: true\n}\n`,
    );
    const env = { GOMAXPROCS: "1" };
    const started = stage.start("nats-server", "server", found()?.program ?? "nats-server", ["-c", config], env);
    await started.waitForOutput(/Server is ready/);
    return {
      ...{ port: webSocketPort, server: started, helpers: [], redis: undefined },
      client: { module: CLIENT, settings: {} },
      publish: () => publisher(stage, market, { via: "nats", port }),
    };
  },
};
