/** uWebSockets.js with its own topics, one per symbol, and default options. */
import { App, type TemplatedApp, us_socket_local_port } from "uWebSockets.js";
import { listening } from "./listening.ts";

/** Listens on a free port. */
export function serve(): TemplatedApp {
  return App()
    .ws("/*", {
      message(client, message) {
        for (const symbol of JSON.parse(Buffer.from(message).toString()) as string[]) client.subscribe(symbol);
      },
    })
    .listen("127.0.0.1", 0, (socket) => {
      if (!socket) throw new Error("no port could be opened");
      listening(us_socket_local_port(socket));
    });
}
