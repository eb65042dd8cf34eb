/** Centrifugo with its Redis engine, built from its Go module. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Peer } from "./peer.ts";
import { freePort } from "./process_group.ts";
import { publisher } from "./publishers.ts";

const CLIENT = fileURLToPath(new URL("protocols/centrifugo.ts", import.meta.url));
const MODULE = "github.com/centrifugal/centrifugo/v5";
const VERSION = "5.4.9";
const FOLDER = fileURLToPath(new URL("cache/", import.meta.url));
const PROGRAM = `${FOLDER}centrifugo`;
const GET = `with Go 1.23 or later, this benchmark builds it into loadtest/peers/cache`;
/** How long the build may take, ms. */
const BUILD_TIMEOUT = 600_000;

/**
 * Builds Centrifugo if it is missing and Go is installed. A module of our own requires it, because `go install` rejects
 * a program whose module has `replace` or `retract` directives.
 */
export function buildCentrifugo(): void {
  if (existsSync(PROGRAM) || spawnSync("go", ["version"], { stdio: "ignore" }).status !== 0) return;
  process.stderr.write(`building Centrifugo ${VERSION}: this takes some minutes, once\n`);
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(`${FOLDER}go.mod`, `module peers\n\ngo 1.23\n\nrequire ${MODULE} v${VERSION}\n`);
  spawnSync("go", ["build", "-o", PROGRAM, MODULE], {
    cwd: FOLDER,
    env: { ...process.env, GOFLAGS: "-mod=mod" },
    stdio: ["ignore", "inherit", "inherit"],
    timeout: BUILD_TIMEOUT,
  });
}

function centrifugoPeer(name: string, title: string, use: string, format: "json" | "protobuf"): Peer {
  return {
    ...{ name, title, use, isVariant: name !== "centrifugo" },
    missing: () => (existsSync(PROGRAM) ? undefined : `Centrifugo is missing: ${GET}`),
    version: () => VERSION,
    async start(stage, market) {
      const redis = await stage.startRedis();
      const ports = [await freePort(), await freePort()];
      const config = stage.file("centrifugo.json");
      const settings = {
        engine: "redis",
        redis_address: redis.address,
        address: "127.0.0.1",
        api_insecure: true,
        allow_anonymous_connect_without_token: true,
        client_channel_limit: Math.max(128, market.symbols),
        namespaces: [{ name: "SIM", allow_subscribe_for_client: true, allow_subscribe_for_anonymous: true }],
      };
      writeFileSync(config, JSON.stringify(settings));
      const node = async (role: string, side: "server" | "load", port: number) => {
        const args = ["-c", config, "--port", String(port)];
        const started = stage.start(`Centrifugo (${role})`, side, PROGRAM, args, { GOMAXPROCS: "1" });
        await started.waitForOutput(/serving websocket/);
        return started;
      };
      const clients = await node("clients", "server", ports[0]);
      // A second node serves the API, so that publishing costs the node with the clients nothing.
      const api = await node("API", "load", ports[1]);
      const payload = format === "json" ? "json" : "msgpack";
      return {
        ...{ port: ports[0], server: clients, helpers: [api], redis: redis.process },
        client: { module: CLIENT, settings: { format } },
        publish: () => publisher(stage, market, { via: "centrifugo", port: ports[1], format: payload }),
      };
    },
  };
}

const BUS =
  "publisher → HTTP API of one node (`batch` with `parallel`, each symbol once) → Redis engine → another node, which has the clients; a channel per symbol, no history, no presence";

/** With each of its two client protocols, the more compact one first. */
export const CENTRIFUGO: readonly Peer[] = [
  centrifugoPeer("centrifugo", "Centrifugo", `${BUS}; Protobuf, the payload in MessagePack`, "protobuf"),
  centrifugoPeer("centrifugo-json", "Centrifugo, JSON", "clients and payload in JSON, its default", "json"),
];
