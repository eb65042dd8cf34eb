/** A TCP proxy before a gateway that simulates faults of networks. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { DelayLine } from "./delay_line.ts";

/** A connection through the proxy. */
interface Pair {
  readonly client: Socket;
  readonly gateway: Socket;
  /** Half open: no bytes pass any more, and neither end is notified. */
  isSilent: boolean;
  /** The number of next bytes towards the client to drop. */
  toLose: number;
  /** The number of bytes towards the client after which it is cut. */
  cutAfter: number;
}

export class FaultProxy {
  /** The delay of bytes towards the client, ms. */
  delay = 0;
  /** Whether new connections are refused. */
  refuses = false;
  /** The number of bytes towards the client after which new connections are cut. */
  cutAfter = Number.POSITIVE_INFINITY;
  /** The number of connections accepted. */
  total = 0;
  readonly #server: Server;
  readonly #port: number;
  readonly #pairs = new Set<Pair>();

  private constructor(port: number) {
    this.#port = port;
    this.#server = createServer((client) => this.#join(client));
  }

  /** @param port of the gateway */
  static async open(port: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(port);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/stream`;
  }

  /**
   * The connections that pass bytes; the global WebSocket waits on half-open ones for an answer to its close.
   */
  get open(): number {
    return [...this.#pairs].filter((pair) => !pair.isSilent).length;
  }

  /** Cuts all connections, also within a message. */
  cut(): void {
    for (const pair of this.#pairs) this.#end(pair);
  }

  /** Makes the present connections half open. */
  silence(): void {
    for (const pair of this.#pairs) pair.isSilent = true;
  }

  /** Drops the next bytes towards the clients. */
  lose(bytes: number): void {
    for (const pair of this.#pairs) pair.toLose = bytes;
  }

  close(): void {
    this.#server.close();
    this.cut();
  }

  #join(client: Socket): void {
    this.total++;
    if (this.refuses) {
      client.destroy();
      return;
    }
    const gateway = connect(this.#port, "127.0.0.1");
    const pair: Pair = { client, gateway, isSilent: false, toLose: 0, cutAfter: this.cutAfter };
    this.#pairs.add(pair);
    for (const socket of [client, gateway])
      socket
        .setNoDelay()
        .on("error", () => {})
        // On a half-open connection neither end learns that the other has closed: it ends when both have closed.
        .on("close", () => (!pair.isSilent || (client.closed && gateway.closed)) && this.#end(pair));
    client.on("data", (chunk) => !pair.isSilent && gateway.write(chunk));
    const line = new DelayLine<Buffer>(
      () => this.delay,
      (chunk) => this.#forward(pair, chunk),
    );
    gateway.on("data", (chunk: Buffer) => line.send(chunk));
  }

  #forward(pair: Pair, chunk: Buffer): void {
    if (pair.isSilent || pair.client.destroyed) return;
    const lost = Math.min(pair.toLose, chunk.length);
    pair.toLose -= lost;
    const rest = chunk.subarray(lost, pair.cutAfter + lost);
    pair.cutAfter -= rest.length;
    pair.client.write(rest);
    if (pair.cutAfter === 0) this.#end(pair);
  }

  #end(pair: Pair): void {
    this.#pairs.delete(pair);
    pair.client.destroySoon();
    pair.gateway.destroy();
  }
}
