/** What a connection needs of its socket. */
import type { Identity } from "../../identity/identity.ts";
import type { Subprotocol } from "../../protocol/messages.ts";

/** What the server keeps with a socket. */
export interface SocketData {
  readonly subprotocol: Subprotocol;
  /** Of the client, as far as it is known: see address.ts. */
  readonly address: string;
  /** What the client calls itself; a stranger's text. */
  readonly agent: string;
  /** By the token in the upgrade; undefined where there was none. */
  readonly identity?: Identity | undefined;
}

/** A socket of uWebSockets.js, or one of a test. It must not be used once it has been ended. */
export interface Socket {
  getUserData(): SocketData;
  send(message: Uint8Array | string, isBinary: boolean, compress: boolean): number;
  ping(payload: Uint8Array): number;
  /** What is published under the topic comes to this socket. */
  subscribe(topic: string): unknown;
  unsubscribe(topic: string): unknown;
  /** Writes all that is sent meanwhile in one go. */
  cork(write: () => void): unknown;
  end(code: number, reason: string): void;
  /** Bytes that the kernel has not taken yet. */
  getBufferedAmount(): number;
}
