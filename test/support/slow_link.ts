/**
 * A link to a gateway with a limited rate in bytes per second: one queue, like a slow line or a slow reader.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

const BEAT = 20;
/** How much the link buffers before it stops reading from the gateway: much, like kernels. */
const QUEUE_BYTES = 4_194_304;

export class SlowLink {
  readonly #server: Server;
  readonly #sockets: Socket[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  readonly url: string;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/v1/stream`;
  }

  /** @param rate bytes per second towards the client; the other direction has no delay */
  static async open(port: number, rate: number): Promise<SlowLink> {
    const server = createServer((client) => link.#join(client, connect(port, "127.0.0.1"), rate));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const link = new SlowLink(server);
    return link;
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #join(client: Socket, gateway: Socket, rate: number): void {
    this.#sockets.push(client, gateway);
    for (const socket of [client, gateway]) socket.on("error", () => {});
    client.pipe(gateway);
    client.setNoDelay();
    gateway.setNoDelay();
    const queue: Buffer[] = [];
    let queued = 0;
    let last = performance.now();
    gateway.on("data", (chunk: Buffer) => {
      queue.push(chunk);
      queued += chunk.length;
      if (queued > QUEUE_BYTES) gateway.pause();
    });
    const forward = () => {
      const now = performance.now();
      // By the clock, not by the number of timers: these are late on a busy machine.
      let credit = queued === 0 ? 0 : Math.round((rate * (now - last)) / 1_000);
      last = now;
      while (credit > 0 && queue.length > 0) {
        const [chunk] = queue;
        const part = chunk.subarray(0, credit);
        client.write(part);
        credit -= part.length;
        queued -= part.length;
        if (part.length === chunk.length) queue.shift();
        else queue[0] = chunk.subarray(part.length);
      }
      if (queued <= QUEUE_BYTES) gateway.resume();
    };
    this.#timers.push(setInterval(forward, BEAT));
  }
}
