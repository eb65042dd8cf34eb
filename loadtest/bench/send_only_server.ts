/**
 * The floor: a server that does nothing but send. It has one frame, and gives it to its connections in turn, so many
 * times a second, with the same library that the gateway sends with. What it costs is what sending costs.
 */
import { App, us_socket_local_port, type WebSocket } from "uWebSockets.js";
import { type CountOrder, repeatAtRate, SendCounter, sendReport } from "./send_counter.ts";

/** To the floor. */
export type SendOnlyOrder = { order: "serve"; frame: Uint8Array; framesPerSecond: number } | CountOrder;

/** How often it sends, ms: as often as the gateway's pacer looks what is due. */
const PERIOD = 4;

const sockets: WebSocket<unknown>[] = [];
const counter = new SendCounter();

function serve(frame: Uint8Array, framesPerSecond: number): void {
  let next = 0;
  repeatAtRate(
    PERIOD,
    () => (sockets.length > 0 ? framesPerSecond : 0),
    () => counter.sent(sockets[next++ % sockets.length].send(frame, true)),
  );
  App()
    .ws("/v1/stream", {
      open: (socket) => void sockets.push(socket),
      // The load is about to go: the floor ends with it.
      close: (socket) => void sockets.splice(sockets.indexOf(socket), 1),
    })
    .listen("127.0.0.1", 0, (socket) => {
      if (!socket) throw new Error("the floor cannot listen");
      sendReport({ report: "serving", port: us_socket_local_port(socket) });
    });
}

process.on("message", (message: SendOnlyOrder) => {
  if (message.order === "serve") serve(message.frame, message.framesPerSecond);
  else counter.handle(message);
});
process.on("disconnect", () => process.exit());
