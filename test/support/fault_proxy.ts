/** A TCP proxy before a gateway that does to connections what networks do. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { DelayLine } from "./delay_line.ts";

/** A connection through the proxy. */
interface Pair {
  readonly client: Socket;
  readonly gateway: Socket;
  /** Half open: nothing gets through any more, and nobody is told. */
  isSilent: boolean;
  /** Bytes towards the client that are still to be lost on their way. */
  toLose: number;
  /** Bytes towards the client after which it is cut. */
  cutAfter: number;
}

export class FaultProxy {
  /** How long what the gateway says takes on its way, ms. */
  delay = 0;
  /** Whether new connections are refused. */
  refuses = false;
  /** After how many bytes towards the client new connections are cut. */
  cutAfter = Number.POSITIVE_INFINITY;
  /** Connections that have come in all. */
  total = 0;
  readonly #server: Server;
  readonly #port: number;
  readonly #pairs = new Set<Pair>();

  private constructor(port: number) {
    this.#port = port;
    this.#server = createServer((client) => this.#join(client));
  }

  /** @param port the gateway's */
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
   * Connections that something gets through; the global WebSocket waits on half-open ones for an answer to its close.
   */
  get open(): number {
    return [...this.#pairs].filter((pair) => !pair.isSilent).length;
  }

  /** Cuts all connections, wherever in a message they are. */
  cut(): void {
    for (const pair of this.#pairs) this.#end(pair);
  }

  /** Lets nothing through any more on the connections that there are. */
  silence(): void {
    for (const pair of this.#pairs) pair.isSilent = true;
  }

  /** Loses the next bytes towards the clients. */
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
        // A half-open connection is one where neither end is told of the other's: it is over when both have given it
        // up.
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
