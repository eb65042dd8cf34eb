/**
 * The capture player: a server that replays the WebSocket messages of an exchange at a given speed, and answers the
 * HTTP requests that were captured.
 */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import type { Logger } from "pino";
import { type WebSocket, WebSocketServer } from "ws";
import type { Capture } from "./capture.ts";
import { answerTo, type Conversation, createConversation } from "./player_venues.ts";

export interface PlayerOptions {
  /** How many times as fast as it was captured; 0 for as fast as the client takes it. Default 0. */
  readonly speed?: number;
  /** Whether the connection stays open after the last message. Default true. */
  readonly hold?: boolean;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** 0, the default, takes a free one. */
  readonly port?: number;
  readonly log: Logger;
}

/** Above so many unsent bytes of a client the player waits. */
const BUFFERED_BYTES = 1_048_576;
/** The number of messages after which other connections are served. */
const MESSAGES_PER_SLICE = 200;
const BEAT_MILLIS = 1_000;
const PING_MILLIS = 20_000;
/** The largest message of a client: a long subscription. */
const MAX_MESSAGE_BYTES = 1_048_576;

export class Player {
  /** The number of connections, and of those that received the whole capture. */
  connections = 0;
  finished = 0;
  readonly #capture: Capture;
  readonly #options: PlayerOptions;
  #server: WebSocketServer | undefined;
  #http: Server | undefined;

  constructor(capture: Capture, options: PlayerOptions) {
    this.#capture = capture;
    this.#options = options;
  }

  /**
   * Begins to listen.
   * @returns the address to connect to
   * @throws the system's error when the port is taken
   */
  async listen(): Promise<string> {
    const { host = "127.0.0.1", port = 0 } = this.#options;
    const http = createServer((request, response) => {
      const text = request.method === "GET" ? answerTo(this.#capture, request.url ?? "/") : undefined;
      response.writeHead(text === undefined ? 404 : 200, { "content-type": "application/json", connection: "close" });
      response.end(text ?? "{}");
    });
    const server = new WebSocketServer({ server: http, maxPayload: MAX_MESSAGE_BYTES });
    // The socket server emits the errors of this one, such as a port that is taken.
    http.listen(port, host);
    await once(server, "listening");
    this.#server = server;
    this.#http = http;
    server.on("connection", (socket, request) => this.#serve(socket, request.url ?? "/"));
    const address = http.address() as AddressInfo;
    return `ws://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
  }

  /** Cuts off every client, as a failing venue does; new ones may come. */
  cut(): void {
    for (const socket of this.#server?.clients ?? []) socket.terminate();
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.cut();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    await new Promise<void>((resolve) => this.#http?.close(() => resolve()));
  }

  #serve(socket: WebSocket, path: string): void {
    const { log } = this.#options;
    this.connections++;
    const ended = new AbortController();
    const conversation = createConversation(this.#capture, path);
    let playing = false;
    const play = () => {
      if (playing || !conversation.hasRequest) return;
      playing = true;
      this.#play(socket, conversation, ended.signal).catch((error) => {
        if (!ended.signal.aborted) log.error({ err: error }, "playing failed");
        socket.terminate();
      });
    };
    const beat = setInterval(() => this.#sendAll(socket, conversation.heartbeat()), BEAT_MILLIS);
    const ping = setInterval(() => socket.ping(), PING_MILLIS);
    log.info("a client has connected");
    socket
      .on("message", (data) => {
        this.#sendAll(socket, conversation.receive(data.toString()));
        play();
      })
      .on("error", (error) => log.warn({ reason: error.message }, "a client's connection failed"))
      .on("close", () => {
        ended.abort();
        clearInterval(beat);
        clearInterval(ping);
        log.info("a client has gone");
      });
    play();
  }

  /** Sends messages that are not part of the capture, to a client that reads fast enough. */
  #sendAll(socket: WebSocket, texts: readonly string[]): void {
    for (const text of texts) if (socket.bufferedAmount < BUFFERED_BYTES) socket.send(text);
  }

  async #play(socket: WebSocket, conversation: Conversation, signal: AbortSignal): Promise<void> {
    const { speed = 0, hold = true, log } = this.#options;
    const { received } = this.#capture;
    const start = performance.now();
    let looked = 0;
    for (const { time, text } of received) {
      if (speed > 0) {
        const due = start + ((time - received[0].time) * 1_000) / speed - performance.now();
        if (due >= 1) await sleep(due, undefined, { signal });
      }
      if (++looked % MESSAGES_PER_SLICE === 0) await turn(undefined, { signal });
      if (!conversation.isRequested(text)) continue;
      if (socket.bufferedAmount > BUFFERED_BYTES) await sent(socket, text);
      else socket.send(text);
      signal.throwIfAborted();
    }
    this.finished++;
    log.info({ messages: looked }, "the capture has been played");
    if (!hold) socket.close(1_000, "end of the capture");
  }
}

/** Sends, and waits until the system has accepted it and all earlier messages. */
function sent(socket: WebSocket, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(text, (error) => (error ? reject(error) : resolve()));
  });
}
