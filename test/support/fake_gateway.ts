/** A gateway that sends what the test wants: messages that a real one sends only after faults. */
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { encode } from "@msgpack/msgpack";
import { type WebSocket, WebSocketServer } from "ws";
import { isFault, readCommand } from "../../src/protocol/command.ts";
import { type Command, type Hello, SUBPROTOCOLS, type Subscribe } from "../../src/protocol/messages.ts";
import { faults } from "./asyncapi_document.ts";
import { until } from "./gateway_process.ts";

/** A connection of a client, after hello. */
export class FakeConnection {
  readonly commands: Command[] = [];
  readonly #socket: WebSocket;
  readonly #changes = new EventEmitter();
  closed = false;
  #answersPings = false;

  constructor(socket: WebSocket, heartbeat: number, node: string) {
    this.#socket = socket;
    const isJson = socket.protocol === "tickgate.v1.json";
    socket.on("message", (bytes: Buffer, isBinary) => {
      const command = readCommand(bytes, !isBinary);
      assert.ok(isBinary !== isJson && !isFault(command), `a client sent ${JSON.stringify(command)}`);
      if (command.op === "ping" && this.#answersPings) return this.say({ op: "pong", time: Date.now() * 1_000 });
      this.commands.push(command);
      this.#changes.emit("change");
    });
    socket.on("close", () => {
      this.closed = true;
      this.#changes.emit("change");
    });
    const limits = { symbols: 10, commandsPerSecond: 10, messageBytes: 10_000 };
    const known = { channels: ["quote"], auth: "none" } satisfies Partial<Hello>;
    const hello: Hello = { op: "hello", protocol: 1, session: "fake-1", node, time: 1, heartbeat, ...known, limits };
    this.say(hello);
  }

  /** Sends a control message, a data frame, or an invalid message. */
  say(message: unknown): void {
    this.#socket.send(this.#socket.protocol === "tickgate.v1.json" ? JSON.stringify(message) : encode(message));
  }

  /** Answers the pings that have arrived, and later ones. */
  answerPings(): void {
    this.#answersPings = true;
    for (const _ping of this.commands.splice(0)) this.say({ op: "pong", time: Date.now() * 1_000 });
  }

  /** Waits for the client's first subscribe. */
  async subscribe(): Promise<Subscribe> {
    const find = () => this.commands.find((command): command is Subscribe => command.op === "subscribe");
    await until(this.#changes, () => find() !== undefined, "a subscribe");
    const command = find() as Subscribe;
    assert.equal(faults("subscribe", command), "");
    return command;
  }

  async untilClosed(): Promise<void> {
    await until(this.#changes, () => this.closed, "the client to close the connection");
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }
}

export class FakeGateway {
  readonly url: string;
  readonly #waiting: FakeConnection[] = [];
  readonly #changes = new EventEmitter();

  private constructor(server: WebSocketServer, heartbeat: number, node: string) {
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/v1/stream`;
    server.on("connection", (socket) => {
      this.#waiting.push(new FakeConnection(socket, heartbeat, node));
      this.#changes.emit("change");
    });
  }

  /**
   * It ends with the test.
   * @param heartbeat of hello, ms; none are sent
   * @param node its name
   */
  static async open(t: TestContext, heartbeat: number, node = "fake"): Promise<FakeGateway> {
    const handleProtocols = (offered: Set<string>) => SUBPROTOCOLS.find((name) => offered.has(name)) ?? false;
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0, path: "/v1/stream", handleProtocols });
    t.after(() => {
      for (const socket of server.clients) socket.terminate();
      server.close();
    });
    await once(server, "listening");
    return new FakeGateway(server, heartbeat, node);
  }

  /** Waits for the next connection. */
  async next(): Promise<FakeConnection> {
    await until(this.#changes, () => this.#waiting.length > 0, "a client to connect");
    return this.#waiting.shift() as FakeConnection;
  }
}
