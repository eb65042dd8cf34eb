/**
 * The peer Socket.IO: one room per symbol, its Redis adapter with `ioredis` (recommended because the other client may
 * lose subscriptions: pages "Redis adapter" and "Rooms"), WebSocket only. The sharded adapter, recommended there for
 * new developments, does not work with the emitter, which external publishers need.
 *
 *     node servers/socketio.ts REDIS-URL [json|msgpack|uws]
 *
 * `msgpack`: the parser of the page "Performance tuning"; `uws`: uWebSockets.js instead of `ws` as the page "Server
 * installation" shows, which makes rooms native topics.
 */

import { App, us_socket_local_port } from "uWebSockets.js";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdapter } from "@socket.io/redis-adapter";
import { Redis } from "ioredis";
import { Server } from "socket.io";
import parser from "socket.io-msgpack-parser";
import { listening } from "./listening.ts";

const [, , url, variant = "json"] = process.argv;
const publisher = new Redis(url);
const io = new Server({
  adapter: createAdapter(publisher, publisher.duplicate()),
  transports: ["websocket"],
  ...(variant === "msgpack" ? { parser } : {}),
});
io.on("connection", (socket) => socket.on("subscribe", (symbols) => socket.join(symbols)));
// Page "Memory usage": releases the first request of each connection.
io.engine?.on("connection", (connection) => {
  connection.request = null;
});

if (variant === "uws") {
  const app = App();
  io.attachApp(app);
  app.listen("127.0.0.1", 0, (socket) => {
    if (!socket) throw new Error("no port could be opened");
    listening(us_socket_local_port(socket));
  });
} else {
  const http = createServer();
  io.attach(http);
  http.listen(0, "127.0.0.1", () => listening((http.address() as AddressInfo).port));
}
