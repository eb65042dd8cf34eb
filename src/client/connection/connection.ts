/**
 * The connection to the gateway: connects, waits for `hello`, detects silence, and reconnects with a growing delay when
 * the connection is lost, until a close code or an HTTP status refuses the client for good.
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
import { type ClientSocket, errorText, type SocketConstructor, type SocketEvent } from "./socket.ts";
import type { ClientTime } from "./time.ts";
import { askToken, TOKEN_LATE, TOKEN_TIME, type TokenOptions } from "./token.ts";
import type { ViolationListener } from "./violations.ts";

/** The state of the connection. */
export type ConnectionState =
  /** Not started, or an attempt is under way. */
  | { readonly phase: "idle" | "connecting" }
  | { readonly phase: "open"; readonly hello: Hello }
  /** Open, but no message has arrived for two heartbeats: prices may be old. */
  | { readonly phase: "silent"; readonly hello: Hello }
  /**
   * Lost, or not made. `retryIn`: ms until the next attempt, from the moment of this event. `retryAt`: when that will
   * be, microseconds since the Unix epoch by this machine's clock.
   */
  | { readonly phase: "waiting"; readonly reason: string; readonly retryIn: number; readonly retryAt: number }
  /** For good: by the caller, or because the gateway has refused the client (`refused`). */
  | { readonly phase: "ended"; readonly reason: string; readonly refused: boolean };

export interface ConnectionOptions extends TokenOptions {
  readonly WebSocket: SocketConstructor;
  readonly subprotocols: readonly Subprotocol[];
  readonly time: ClientTime;
  readonly random: () => number;
  readonly violated: ViolationListener;
  /** Is called with each new state. */
  readonly state: (state: ConnectionState) => void;
  /** Is called with each control message but `hello` and `bye`. */
  readonly message: (message: Exclude<Control, Hello | Bye>) => void;
  /** Is called with each data frame. @throws Error when it is malformed */
  readonly frame: (data: unknown) => void;
}

/** The longest wait before a reconnect, after the first failure and after many, ms. */
const FIRST_WAIT = 500;
const LONGEST_WAIT = 30_000;
/** The longest wait that a gateway may ask for, ms. */
const LONGEST_RETRY_AFTER = 300_000;
/** How long a connection must have lasted for the next failure to count as the first one, ms. */
const LASTING = 10_000;
/** Heartbeat intervals without a message until prices are stale, and until the connection counts as lost. */
const SILENT_HEARTBEATS = 2;
const LOST_HEARTBEATS = 3;

/** The final close codes of the protocol. Repeated here so that the library does not contain the whole table. */
export const FINAL_CLOSES: readonly number[] = [1009, 4400, 4401, 4403];

export class Connection {
  /** Bytes received, and connections made. */
  bytes = 0;
  made = 0;
  readonly #url: string;
  readonly #options: ConnectionOptions;
  readonly #backoff: Backoff;
  #state: ConnectionState = { phase: "idle" };
  #socket: ClientSocket | undefined;
  #hello: Hello | undefined;
  #bye: Bye | undefined;
  /** The text of the socket's last error event. */
  #error = "";
  #openedAt = 0;
  #receivedAt = 0;
  /** Cancels the one timer that runs: for hello, for silence or for the next attempt. */
  #cancel: () => void = () => {};

  constructor(url: string, options: ConnectionOptions) {
    this.#url = url;
    this.#options = options;
    this.#backoff = new Backoff(FIRST_WAIT, LONGEST_WAIT, options.random);
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Connects, without waiting for the next attempt; does nothing if there is a connection or an attempt. */
  start(): void {
    if (!["idle", "waiting", "ended"].includes(this.#state.phase)) return;
    this.#cancel();
    this.#attempt();
  }

  /** Ends for good. */
  end(reason: string): void {
    if (this.#state.phase !== "ended") this.#end(reason, false);
  }

  /** Sends a command, if the connection is open. */
  send(command: Command): void {
    if (!this.#hello) return;
    this.#socket?.send(encodeCommand(command, this.#socket.protocol === "tickgate.v1.json"));
  }

  #attempt(): void {
    const { time, token } = this.#options;
    const state: ConnectionState = { phase: "connecting" };
    this.#change(state);
    // A listener may have closed the client.
    if (state !== this.#state) return;
    this.#bye = undefined;
    this.#error = "";
    this.#cancel = time.after(TOKEN_TIME, () => this.#lost(TOKEN_LATE));
    if (token === undefined) this.#open();
    else
      askToken(
        this.#options,
        () => state === this.#state,
        (text) => this.#open(`bearer.${text}`),
        (reason) => this.#refused(reason, true),
      );
  }

  #open(...tokens: string[]): void {
    const { WebSocket, subprotocols } = this.#options;
    let socket: ClientSocket;
    try {
      socket = new WebSocket(this.#url, [...subprotocols, ...tokens]);
    } catch (error) {
      return this.#refused((error as Error).message);
    }
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    // Events of a socket that was discarded are ignored.
    const listen = (type: "message" | "error" | "close", listener: (event: SocketEvent) => void) =>
      socket.addEventListener(type, (event) => {
        if (socket === this.#socket) listener(event);
      });
    listen("message", (event) => this.#message(event.data));
    listen("error", (event) => this.#failed(errorText(event)));
    listen("close", (event) => this.#closed(event.code ?? 1006, event.reason ?? ""));
  }

  #message(data: unknown): void {
    const { time, violated } = this.#options;
    this.#receivedAt = time.millis();
    const size = sizeOf(data);
    this.bytes += size;
    const isData = isFrame(data);
    if (size > (isData ? MAX_FRAME_BYTES : MAX_CONTROL_BYTES)) violated("frameTooLarge", `${size} bytes`);
    try {
      const message = isData ? undefined : decodeControl(data);
      if (this.#state.phase === "silent") this.#change({ ...this.#state, phase: "open" });
      if (message?.op === "hello") this.#helloReceived(message);
      else if (!this.#hello) violated("beforeHello", message?.op ?? "a frame");
      else if (isData) this.#options.frame(data);
      else if (message?.op === "bye") this.#bye = message;
      else if (message) this.#options.message(message);
    } catch (error) {
      violated("malformed", String(error));
      // The content of the message is lost, so later state may be wrong: only a new connection corrects that.
      this.#lost("malformed");
    }
  }

  #helloReceived(hello: Hello): void {
    if (hello.protocol !== PROTOCOL_VERSION) return this.#refused(`protocol ${hello.protocol}`);
    this.#cancel();
    this.made++;
    this.#hello = hello;
    this.#openedAt = this.#receivedAt;
    this.#watchSilence(SILENT_HEARTBEATS);
    this.#change({ phase: "open", hello });
  }

  /** Checks for silence when that many heartbeat intervals may have passed. One timer in all, not one per message. */
  #watchSilence(heartbeats: number): void {
    const { time } = this.#options;
    const { heartbeat } = this.#hello as Hello;
    const rest = this.#receivedAt + heartbeats * heartbeat - time.millis();
    this.#cancel = time.after(Math.max(rest, 1), () => {
      const silence = time.millis() - this.#receivedAt;
      if (silence >= LOST_HEARTBEATS * heartbeat)
        return this.#lost(`nothing heard for ${Math.round(silence / 1_000)} s`);
      const isSilent = silence >= SILENT_HEARTBEATS * heartbeat;
      this.#watchSilence(isSilent ? LOST_HEARTBEATS : SILENT_HEARTBEATS);
      if (isSilent && this.#state.phase === "open") this.#change({ ...this.#state, phase: "silent" });
    });
  }

  #failed(message: string): void {
    this.#error = message;
    // Node's own WebSocket emits no close event for a connection that was never open.
    if (!this.#hello) this.#lost(message || "no connection");
  }

  #closed(code: number, reason: string): void {
    const text = `${reason || this.#bye?.reason || this.#error || "connection lost"} (${code})`;
    if (FINAL_CLOSES.includes(code)) this.#refused(text, code > 4400);
    else this.#lost(text);
  }

  /** @param isForToken whether the next attempt may succeed with another token */
  #refused(reason: string, isForToken = false): void {
    if (isForToken && typeof this.#options.token === "function") return this.#lost(reason);
    this.#end(reason, true);
  }

  #end(reason: string, refused: boolean): void {
    this.#discardSocket(false);
    this.#change({ phase: "ended", reason, refused });
  }

  /** Discards this connection and waits for the next attempt. */
  #lost(reason: string): void {
    const { time } = this.#options;
    if (this.#hello && time.millis() - this.#openedAt >= LASTING) this.#backoff.reset();
    const asked = this.#bye?.retryAfter ?? NaN;
    this.#discardSocket(true);
    // The gateway already spreads the times that it asks for, so no jitter is added.
    const retryIn = asked >= 0 ? Math.min(asked, LONGEST_RETRY_AFTER) : this.#backoff.next();
    this.#cancel = time.after(retryIn, () => this.#attempt());
    this.#change({ phase: "waiting", reason, retryIn, retryAt: time.micros() + retryIn * 1_000 });
  }

  /** @param isLost whether the other end may not answer a close frame */
  #discardSocket(isLost: boolean): void {
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
