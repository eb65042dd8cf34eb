/** `ws` and uWebSockets.js: WebSocket libraries, each with a minimal server that reads from Redis (servers/). */
import { fileURLToPath } from "node:url";
import { productPackageVersion } from "./packages.ts";
import type { Peer } from "./peer.ts";
import { publisher } from "./publishers.ts";

const CLIENT = fileURLToPath(new URL("protocols/plain.ts", import.meta.url));

function libraryPeer(name: string, title: string, use: string, version: () => string): Peer {
  return {
    ...{ name, title, use, version, isVariant: false },
    missing: () => undefined,
    async start(stage, market) {
      const redis = await stage.startRedis();
      const started = stage.startScript(title, "server", `servers/${name}.ts`, redis.url);
      const [, port] = await started.waitForOutput(/listening (\d+)/);
      return {
        ...{ port: Number(port), server: started, helpers: [], redis: redis.process },
        client: { module: CLIENT, settings: {} },
        publish: () => publisher(stage, market, { via: "redis", url: redis.url }),
      };
    },
  };
}

const BUS = "publisher → Redis (a message per market step) → server";

export const WS = libraryPeer(
  "ws",
  "ws",
  `${BUS}, which sends each tick, encoded once, to the symbol's subscribers (“Server broadcast”); MessagePack, no compression`,
  () => productPackageVersion("ws"),
);

export const UWS = libraryPeer(
  "uws",
  "uWebSockets.js",
  `${BUS}; a topic per symbol, one \`publish\` per tick, MessagePack, default options`,
  () => `uws-pack ${productPackageVersion("uWebSockets.js")}`,
);
