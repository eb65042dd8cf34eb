/** Socket.IO with its Redis adapter; see servers/socketio.ts. */
import { fileURLToPath } from "node:url";
import { INSTALL, isInstalled, packageVersion } from "./packages.ts";
import type { Peer } from "./peer.ts";
import { publisher } from "./publishers.ts";

const CLIENT = fileURLToPath(new URL("protocols/socketio.ts", import.meta.url));

interface Variant {
  readonly name: string;
  readonly title: string;
  readonly use: string;
  readonly server?: "json" | "msgpack" | "uws";
  readonly isVolatile?: boolean;
}

function socketioPeer({ name, title, use, server = "json", isVolatile = false }: Variant): Peer {
  return {
    ...{ name, title, use, isVariant: name !== "socketio" },
    missing: () => (isInstalled("socket.io") ? undefined : `its packages are missing: ${INSTALL}`),
    version: () => `${packageVersion("socket.io")}, redis-adapter ${packageVersion("@socket.io/redis-adapter")}`,
    async start(stage, market) {
      const redis = await stage.startRedis();
      const started = stage.startScript("Socket.IO", "server", "servers/socketio.ts", redis.url, server);
      const [, port] = await started.waitForOutput(/listening (\d+)/);
      return {
        ...{ port: Number(port), server: started, helpers: [], redis: redis.process },
        client: { module: CLIENT, settings: { parser: server === "msgpack" ? "msgpack" : "json" } },
        publish: () => publisher(stage, market, { via: "socketio", url: redis.url, isVolatile }),
      };
    },
  };
}

/** The default of its documentation, and three documented alternatives. */
export const SOCKETIO: readonly Peer[] = [
  socketioPeer({
    name: "socketio",
    title: "Socket.IO",
    use:
      "`redis-emitter` → Redis → server with `redis-adapter` (the sharded adapter does not work with the emitter); a room per symbol, " +
      "WebSocket only, default parser, `bufferutil`, first request released (“Performance tuning”)",
  }),
  socketioPeer({
    name: "socketio-msgpack",
    title: "Socket.IO, MessagePack",
    server: "msgpack",
    use: "with `socket.io-msgpack-parser` (“Performance tuning”, “Use a custom parser”)",
  }),
  socketioPeer({
    name: "socketio-volatile",
    title: "Socket.IO, volatile",
    isVolatile: true,
    use: "`volatile` emits: messages that a client is not ready for are dropped (“Emitting events”, “Volatile events”)",
  }),
  socketioPeer({
    name: "socketio-uws",
    title: "Socket.IO on uWebSockets.js",
    server: "uws",
    use: "`io.attachApp` (“Server installation”, “Usage with uWebSockets.js”): rooms become native topics",
  }),
];
