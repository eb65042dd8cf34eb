/**
 * A reference server that only sends: one frame, to one connection after the other at a given rate, with the gateway's
 * WebSocket library. Its cost is the cost of sending.
 */
import { App, us_socket_local_port, type WebSocket } from "uWebSockets.js";
import { type CountOrder, repeatAtRate, SendCounter, sendReport } from "./send_counter.ts";

/** Orders from the parent process. */
export type SendOnlyOrder = { order: "serve"; frame: Uint8Array; framesPerSecond: number } | CountOrder;

/** The period of sending, ms: that of the gateway's flush scheduler. */
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
      // The load is closing, and ends this process.
      close: (socket) => void sockets.splice(sockets.indexOf(socket), 1),
    })
    .listen("127.0.0.1", 0, (socket) => {
      if (!socket) throw new Error("the send-only server cannot listen");
      sendReport({ report: "serving", port: us_socket_local_port(socket) });
    });
}

process.on("message", (message: SendOnlyOrder) => {
  if (message.order === "serve") serve(message.frame, message.framesPerSecond);
  else counter.handle(message);
});
process.on("disconnect", () => process.exit());
