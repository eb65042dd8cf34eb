/**
 * The life of the connection: made, greeted, watched, and made again when it is lost, later each time, until a close
 * code or an HTTP status says that it will never do.
 */

import { Backoff } from "../../base/backoff.ts";
import {
  type Bye,
  type Command,
  type Control,
  type Hello,
  MAX_CONTROL_BYTES,
  MAX_FRAME_BYTES,
  PROTOCOL_VERSION,
  type Subprotocol,
} from "../../protocol/messages.ts";
import { decodeControl, encodeCommand, isFrame, sizeOf } from "./codec.ts";
import { type ClientSocket, errorText, isFinalRefusal, type SocketConstructor, type SocketEvent } from "./socket.ts";
import type { ClientTime } from "./time.ts";
import type { ViolationCounter } from "./violations.ts";

/** How the connection stands. */
export type ConnectionState =
  /** Not started, or an attempt is under way. */
  | { readonly phase: "idle" | "connecting" }
  | { readonly phase: "open"; readonly hello: Hello }
  /** Open, but nothing has come for two heartbeats: prices may be old. */
  | { readonly phase: "silent"; readonly hello: Hello }
  /**
   * Lost, or not made. `retryIn`: ms until the next attempt, from the moment of this event. `retryAt`: when that will be,
   * microseconds since the Unix epoch by this machine's clock.
   */
  | { readonly phase: "waiting"; readonly reason: string; readonly retryIn: number; readonly retryAt: number }
  /** For good: by the caller, or because the gateway has said no (`refused`). */
  | { readonly phase: "ended"; readonly reason: string; readonly refused: boolean };

export interface ConnectionOptions {
  readonly WebSocket: SocketConstructor;
  readonly subprotocols: readonly Subprotocol[];
  readonly time: ClientTime;
  readonly random: () => number;
  readonly violations: ViolationCounter;
  /** Is told how it stands. */
  readonly state: (state: ConnectionState) => void;
  /** Is told what the gateway says. */
  readonly message: (message: Exclude<Control, Hello | Bye>) => void;
  /** Is given data frames. @throws Error where one is malformed */
  readonly frame: (data: unknown) => void;
}

/** How long an attempt may take until `hello`, ms. */
const HELLO_TIME = 10_000;
/** The longest wait after a first failure and after many, ms. */
const FIRST_WAIT = 500;
const LONGEST_WAIT = 30_000;
/** The longest that a gateway may ask to stay away, ms. */
const LONGEST_RETRY_AFTER = 300_000;
/** How long a connection must have lasted for the next failure to be a first one, ms. */
const LASTING = 10_000;
/** Heartbeats without a sound until prices are stale, and until the connection is given up. */
const SILENT_HEARTBEATS = 2;
const LOST_HEARTBEATS = 3;

/** The close codes of the protocol that say no; here once more, so that the library need not carry the table. */
export const FINAL_CLOSES: readonly number[] = [1009, 4400, 4401, 4403];

export class Connection {
  /** Bytes that have come, and connections that were made. */
  bytes = 0;
  made = 0;
  readonly #url: string;
  readonly #options: ConnectionOptions;
  readonly #backoff: Backoff;
  #state: ConnectionState = { phase: "idle" };
  #socket: ClientSocket | undefined;
  #hello: Hello | undefined;
  #bye: Bye | undefined;
  /** What the socket said went wrong. */
  #error = "";
  #openedAt = 0;
  #heardAt = 0;
  /** Takes back the one timer that runs: for hello, for silence or for the next attempt. */
  #cancel: () => void = () => {};

  constructor(url: string, options: ConnectionOptions) {
    this.#url = url;
    this.#options = options;
    this.#backoff = new Backoff(FIRST_WAIT, LONGEST_WAIT, options.random);
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Begins, or does not wait any longer for the next attempt; does nothing where there is a connection or an attempt. */
  start(): void {
    const { phase } = this.#state;
    if (phase === "waiting") this.#cancel();
    if (phase === "idle" || phase === "ended" || phase === "waiting") this.#attempt();
  }

  /** Ends for good. */
  end(reason: string): void {
    if (this.#state.phase === "ended") return;
    this.#letGo(false);
    this.#change({ phase: "ended", reason, refused: false });
  }

  /** Sends, where there is an open connection. */
  send(command: Command): void {
    if (!this.#hello) return;
    this.#socket?.send(encodeCommand(command, this.#socket.protocol === "tickgate.v1.json"));
  }

  #attempt(): void {
    const { WebSocket, subprotocols, time } = this.#options;
    this.#change({ phase: "connecting" });
    this.#bye = undefined;
    this.#error = "";
    let socket: ClientSocket;
    try {
      socket = new WebSocket(this.#url, [...subprotocols]);
    } catch (error) {
      this.#change({ phase: "ended", reason: (error as Error).message, refused: true });
      return;
    }
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    // A socket that was let go may still have something to say: it is not listened to.
    const listen = (type: "message" | "error" | "close", listener: (event: SocketEvent) => void) =>
      socket.addEventListener(type, (event) => {
        if (socket === this.#socket) listener(event);
      });
    listen("message", (event) => this.#message(event.data));
    listen("error", (event) => this.#failed(errorText(event)));
    listen("close", (event) => this.#closed(event.code ?? 1006, event.reason ?? ""));
    this.#cancel = time.after(HELLO_TIME, () => this.#lost(`no hello within ${HELLO_TIME / 1_000} s`));
  }

  #message(data: unknown): void {
    const { time, violations } = this.#options;
    this.#heardAt = time.millis();
    const size = sizeOf(data);
    this.bytes += size;
    const isData = isFrame(data);
    if (size > (isData ? MAX_FRAME_BYTES : MAX_CONTROL_BYTES)) violations.add("frameTooLarge", `${size} bytes`);
    try {
      if (isData) {
        if (!this.#hello) return violations.add("beforeHello", "a data frame");
        this.#heard();
        this.#options.frame(data);
      } else {
        const message = decodeControl(data);
        this.#heard();
        if (message?.op === "hello") this.#greeted(message);
        else if (message && !this.#hello) violations.add("beforeHello", message.op);
        else if (message?.op === "bye") this.#bye = message;
        else if (message) this.#options.message(message);
      }
    } catch (error) {
      violations.add("malformed", String(error));
      // What it said is not known, so what is known may be wrong: only a new connection puts that right.
      this.#lost("a message of the gateway is malformed");
    }
  }

  /** There was a sound. */
  #heard(): void {
    if (this.#state.phase === "silent") this.#change({ phase: "open", hello: this.#state.hello });
  }

  #greeted(hello: Hello): void {
    if (hello.protocol !== PROTOCOL_VERSION)
      return this.#refused(`the gateway has version ${hello.protocol} of the protocol, not ${PROTOCOL_VERSION}`);
    this.#cancel();
    this.made++;
    this.#hello = hello;
    this.#openedAt = this.#heardAt;
    this.#listenFor(SILENT_HEARTBEATS);
    this.#change({ phase: "open", hello });
  }

  /** Looks, when so many heartbeats may have passed in silence, whether they have. One timer, not one a message. */
  #listenFor(heartbeats: number): void {
    const { time } = this.#options;
    const { heartbeat } = this.#hello as Hello;
    const rest = this.#heardAt + heartbeats * heartbeat - time.millis();
    this.#cancel = time.after(Math.max(rest, 1), () => {
      const silence = time.millis() - this.#heardAt;
      if (silence >= LOST_HEARTBEATS * heartbeat)
        return this.#lost(`nothing heard for ${Math.round(silence / 1_000)} s`);
      const isSilent = silence >= SILENT_HEARTBEATS * heartbeat;
      this.#listenFor(isSilent ? LOST_HEARTBEATS : SILENT_HEARTBEATS);
      if (isSilent && this.#state.phase === "open") this.#change({ ...this.#state, phase: "silent" });
    });
  }

  #failed(message: string): void {
    if (isFinalRefusal(message)) return this.#refused(message);
    this.#error = message;
    // Node's own WebSocket tells no close of a connection that was never open.
    if (!this.#hello) this.#lost(message || "no connection");
  }

  #closed(code: number, reason: string): void {
    const text = reason || this.#bye?.reason || this.#error || "the connection was lost";
    if (FINAL_CLOSES.includes(code)) this.#refused(`${text} (${code})`);
    else this.#lost(code === 1006 || code === 1005 ? text : `${text} (${code})`);
  }

  #refused(reason: string): void {
    this.#letGo(false);
    this.#change({ phase: "ended", reason, refused: true });
  }

  /** Gives up this connection and waits for the next attempt. */
  #lost(reason: string): void {
    const { time } = this.#options;
    if (this.#hello && time.millis() - this.#openedAt >= LASTING) this.#backoff.reset();
    const asked = this.#bye?.retryAfter ?? NaN;
    this.#letGo(true);
    // What a gateway asks for differs from client to client already.
    const retryIn = asked >= 0 ? Math.min(asked, LONGEST_RETRY_AFTER) : this.#backoff.next();
    this.#cancel = time.after(retryIn, () => this.#attempt());
    this.#change({ phase: "waiting", reason, retryIn, retryAt: time.micros() + retryIn * 1_000 });
  }

  /** @param isLost whether there may be nobody at the other end to take leave of */
  #letGo(isLost: boolean): void {
    const socket = this.#socket;
    this.#cancel();
    this.#socket = undefined;
    this.#hello = undefined;
    if (isLost && socket?.terminate) socket.terminate();
    else socket?.close(1000);
  }

  #change(state: ConnectionState): void {
    this.#state = state;
    this.#options.state(state);
  }
}
