/**
 * A TCP proxy before a Redis that loses messages of channels, holds them back, or delays them.
 */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { DelayLine } from "./delay_line.ts";

export class RedisProxy {
  /** Whether to lose a message; called for each one. */
  loses: () => boolean = () => false;
  /** The delay of Redis' answers, in milliseconds. */
  delay = 0;
  /** Messages lost so far. */
  lost = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #upstreams = new Set<Socket>();

  private constructor(target: number) {
    this.#server = createServer((socket) => this.#connected(socket, target));
  }

  static async start(target: number): Promise<RedisProxy> {
    const proxy = new RedisProxy(target);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  /** Stops reading from Redis: its output queues there. */
  hold(): void {
    for (const upstream of this.#upstreams) upstream.pause();
  }

  release(): void {
    for (const upstream of this.#upstreams) upstream.resume();
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of [...this.#sockets, ...this.#upstreams]) socket.destroy();
    await once(this.#server, "close");
  }

  #connected(socket: Socket, target: number): void {
    const upstream = connect(target, "127.0.0.1");
    this.#sockets.add(socket);
    this.#upstreams.add(upstream);
    let rest: Buffer = Buffer.alloc(0);
    const line = new DelayLine<Buffer>(
      () => this.delay,
      (frame) => socket.write(frame),
    );
    socket.on("data", (chunk) => upstream.write(chunk));
    upstream.on("data", (chunk) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let at = 0;
      for (let end = frameEnd(rest, at); end >= 0; end = frameEnd(rest, at)) {
        const frame = rest.subarray(at, end);
        at = end;
        if (frame[0] === 0x3e && frame.includes("message") && this.loses()) this.lost++;
        else line.send(frame);
      }
      rest = rest.subarray(at);
    });
    const end = () => {
      socket.destroy();
      upstream.destroy();
      this.#sockets.delete(socket);
      this.#upstreams.delete(upstream);
    };
    for (const side of [socket, upstream]) side.on("close", end).on("error", end);
  }
}

/** The end of the RESP value that begins at `from`; -1 while it is incomplete. */
function frameEnd(bytes: Buffer, from: number): number {
  const line = bytes.indexOf("\r\n", from);
  if (line < 0) return -1;
  const count = Number(bytes.toString("latin1", from + 1, line));
  switch (String.fromCharCode(bytes[from])) {
    case "$":
    case "=": {
      const end = count < 0 ? line + 2 : line + 4 + count;
      return end <= bytes.length ? end : -1;
    }
    case "*":
    case ">":
    case "~":
      return valuesEnd(bytes, line + 2, count);
    case "%":
      return valuesEnd(bytes, line + 2, count * 2);
    default:
      return line + 2;
  }
}

function valuesEnd(bytes: Buffer, from: number, count: number): number {
  let at = from;
  for (let left = count; left > 0 && at >= 0; left--) at = frameEnd(bytes, at);
  return at;
}
