/** Many clients that parse little of what they receive, so that they cost the machine little. */
import { pack, unpack } from "msgpackr";
import { WebSocket } from "ws";
import { waitUntil } from "../../scripts/cluster/probe.ts";

export interface CrowdOptions {
  readonly url: string;
  readonly symbols: readonly string[];
  /** Milliseconds. */
  readonly interval: number;
  /** Whether the ages of all ticks are measured. */
  readonly measure?: boolean;
}

export class Crowd {
  readonly #sockets: WebSocket[] = [];
  #served = 0;
  /** Ticks that came after the first frame of their connection, and the sum of their ages on arrival, microseconds. */
  ticks = 0;
  ages = 0;

  /** Adds clients, and waits until each has had prices. @throws Error when these do not arrive in time */
  async join(count: number, options: CrowdOptions, deadline = 20_000): Promise<void> {
    const expected = this.#sockets.length + count;
    for (let index = 0; index < count; index++) this.#open(options);
    if (!(await waitUntil(() => this.#served >= expected, deadline)))
      throw new Error(`${this.#served} of ${expected} clients have prices`);
  }

  /** Closes all of them. */
  leave(): void {
    for (const socket of this.#sockets) socket.terminate();
    this.#sockets.length = 0;
    this.#served = 0;
  }

  #open({ url, symbols, interval, measure = false }: CrowdOptions): void {
    const socket = new WebSocket(url, "tickgate.v1.msgpack", { perMessageDeflate: false });
    this.#sockets.push(socket);
    socket.on("open", () => socket.send(pack({ op: "subscribe", symbols, interval, fields: ["last"] })));
    // A close event follows, which needs no handling.
    socket.on("error", () => {});
    let isServed = false;
    socket.on("message", (data: Buffer) => {
      // A data frame is an array: in MessagePack a head from 0x90 on, where a map's are below.
      if (data[0] < 0x90 || (data[0] > 0x9f && data[0] !== 0xdc)) return;
      if (!isServed) {
        isServed = true;
        this.#served++;
      } else if (measure) this.#measure(data);
    });
  }

  #measure(data: Buffer): void {
    const now = (performance.timeOrigin + performance.now()) * 1_000;
    const [, ...ticks] = unpack(data) as [number, ...[number, number, number][]];
    for (const [, , eventTime] of ticks) this.ages += now - eventTime;
    this.ticks += ticks.length;
  }
}
