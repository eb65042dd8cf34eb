/**
 * Upgrades that are accepted later than in the handler of the request: a token has to be verified before.
 *
 * uWebSockets.js expects them in `res.cork`. But when that ends it reads the state of the HTTP response, whose memory
 * the WebSocket may have by then, and may close it (HttpResponse::cork, where `us_socket_context_adopt_socket` did not
 * move the socket). Where another socket is corked, `cork` does nothing at its end. So a response that is never
 * answered is corked instead: that of a connection to an address of this process's own. The handshake is then written
 * in some 25 pieces, which takes about 0.1 ms.
 */
import { App, type HttpResponse, type TemplatedApp, us_socket_local_port } from "uWebSockets.js";
import { connect, type Socket } from "node:net";

const HOST = "127.0.0.1";
/** How long it waits before it connects again, ms. */
const RETRY_TIME = 1_000;

export class LateUpgrades {
  readonly #app: TemplatedApp = App();
  #held: HttpResponse | undefined;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** Resolves when upgrades are possible. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#app.any("/*", (res) => {
        res.onAborted(() => {
          if (this.#held === res) this.#held = undefined;
        });
        this.#held = res;
        resolve();
      });
      this.#app.listen(HOST, 0, (listening) => {
        if (listening) this.#connect(us_socket_local_port(listening));
        else reject(new Error(`cannot listen on ${HOST}`));
      });
    });
  }

  /** Calls `upgrade`. @returns whether that was possible */
  run(upgrade: () => void): boolean {
    this.#held?.cork(upgrade);
    return this.#held !== undefined;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
    this.#app.close();
  }

  #connect(port: number): void {
    if (this.#isClosed) return;
    const socket = connect(port, HOST, () => socket.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`));
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#timer = setTimeout(() => this.#connect(port), RETRY_TIME);
    });
    this.#socket = socket;
  }
}
