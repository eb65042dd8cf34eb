/** A server that behaves like a gateway and breaks a promise as a test requires. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { pack, unpack } from "msgpackr";
import { type WebSocket, WebSocketServer } from "ws";
import { FIELDS } from "../../src/base/tick.ts";
import type { StreamChannel } from "./protocol.ts";

/** The whole market. */
export const SYMBOLS = ["FAKE:A", "FAKE:B"];
export const INTERVAL = 100;
/** The handles of the first symbol in the other channels; that of the second is one more. */
export const HANDLES = { trade: 10, book: 20, bar: 30 };
/** The values of every tick: only the first field, which is the `seq`. */
const valuesOf = (seq: number) => FIELDS.map((_, index) => (index === 0 ? seq : null));

/** The server's side of a connection. */
export interface Client {
  /** Sends a frame. @param sentAt ms since the connection opened */
  frame(sentAt: number, ...ticks: unknown[][]): void;
  /** A correct tick. */
  tick(handle: number, seq: number): unknown[];
  control(message: Record<string, unknown>): void;
  readonly socket: WebSocket;
}

interface Command {
  readonly op: string;
  readonly symbols: string[];
  readonly channel?: StreamChannel;
  readonly resolution?: string;
}

export interface Script {
  /** Instead of `hello`. */
  greet?(client: Client): void;
  /** Instead of `subscribed`. */
  grant?(client: Client, asked: string[]): void;
  /** Called after each grant of quotes. @param grants earlier ones */
  play(client: Client, grants: number): void;
  /** The differences of `subscribed` of another channel. */
  channelGrant?(channel: StreamChannel): Record<string, unknown>;
  /**
   * Called after each grant of another channel.
   * @param grants earlier ones of the channel
   * @param handle of the first symbol
   */
  playChannel?(client: Client, channel: StreamChannel, grants: number, handle: number): void;
  /** Called after `unsubscribed` of another channel. */
  endChannel?(client: Client, channel: StreamChannel): void;
  /** Instead of `unsubscribed`. */
  end?(client: Client, symbols: string[]): void;
}

export class FakeServer {
  readonly #http: Server;
  readonly #sockets: WebSocketServer;
  readonly port: number;
  /** How far its clock is ahead of ours, ms. */
  ahead = 0;
  /** The current `seq` of each symbol over HTTP. */
  seqs: readonly number[] = [1, 1];
  values = valuesOf;

  #connections = 0;

  private constructor(http: Server, scriptOf: (index: number) => Script) {
    this.#http = http;
    this.port = (http.address() as AddressInfo).port;
    http.on("request", (request, response) => response.end(JSON.stringify(this.#answer(request.url ?? ""))));
    this.#sockets = new WebSocketServer({ server: http, handleProtocols: () => "tickgate.v1.msgpack" });
    this.#sockets.on("connection", (socket) => this.#serve(socket, scriptOf(this.#connections++)));
  }

  /** @param script for every connection, or for each by its number */
  static async start(script: Script | ((index: number) => Script)): Promise<FakeServer> {
    const http = createServer();
    http.listen(0, "127.0.0.1");
    await once(http, "listening");
    return new FakeServer(http, typeof script === "function" ? script : () => script);
  }

  stop(): void {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#http.close();
    this.#http.closeAllConnections();
  }

  #answer(url: string): unknown {
    if (url.startsWith("/v1/symbols")) return { time: 0, symbols: SYMBOLS };
    const ticks = SYMBOLS.map((symbol, place) => {
      const values = this.values(this.seqs[place]);
      return {
        symbol,
        seq: this.seqs[place],
        ...Object.fromEntries(FIELDS.map((name, index) => [name, values[index]])),
      };
    });
    return { time: 0, ticks, unknown: [] };
  }

  #serve(socket: WebSocket, script: Script): void {
    const micros = () => (Date.now() + this.ahead) * 1_000;
    const start = micros();
    let grants = 0;
    const channelGrants = { trade: 0, book: 0, bar: 0 };
    const client: Client = {
      socket,
      frame: (sentAt, ...ticks) => socket.send(pack([start + 0.5 + sentAt * 1_000, ...ticks])),
      tick: (handle, seq) => [handle, seq, micros() - 0.5, ...valuesOf(seq)],
      control: (message) => socket.send(pack(message)),
    };
    const hello = { op: "hello", protocol: 1, session: "s", node: "n", time: start, heartbeat: 15_000, limits: {} };
    if (script.greet) script.greet(client);
    else client.control(hello);
    socket.on("message", (data: Buffer) => {
      const { op, symbols, channel, resolution } = unpack(data) as Command;
      if (op === "subscribe" && channel) {
        const handleOf = (symbol: string) => HANDLES[channel] + SYMBOLS.indexOf(symbol);
        const handles = symbols.map((symbol) => [symbol, handleOf(symbol), 0]);
        const own = { trade: {}, book: { depth: 10 }, bar: { resolution } }[channel];
        client.control({
          ...{ op: "subscribed", channel, interval: INTERVAL, ...own, symbols: handles, rejected: [] },
          ...script.channelGrant?.(channel),
        });
        script.playChannel?.(client, channel, channelGrants[channel]++, handleOf(symbols[0]));
      } else if (op === "unsubscribe" && channel) {
        client.control({ op: "unsubscribed", channel, ...(resolution && { resolution }), symbols });
        script.endChannel?.(client, channel);
      } else if (op === "subscribe") {
        const pairs = symbols.map((symbol) => [symbol, SYMBOLS.indexOf(symbol)]);
        if (script.grant) script.grant(client, symbols);
        else client.control({ op: "subscribed", interval: INTERVAL, fields: FIELDS, symbols: pairs, rejected: [] });
        script.play(client, grants++);
      } else if (op === "ping") client.control({ op: "pong", time: micros() });
      else if (script.end) script.end(client, symbols);
      else client.control({ op: "unsubscribed", symbols });
    });
  }
}
