/**
 * The part of a WebSocket that the client uses: browsers, Node from 22 on and the package `ws` all have it. When a
 * connection cannot be made, Node's own emits `error` without `close`, browsers emit both, and `ws` gives the HTTP
 * status.
 */
export interface ClientSocket {
  binaryType: string;
  /** The subprotocol that the gateway chose. */
  readonly protocol: string;
  /** Sends a command: text or bytes, depending on the subprotocol. */
  send(data: string | Uint8Array): void;
  /** Closes with a close frame. */
  close(code?: number, reason?: string): void;
  /** Only in the package `ws`: destroys the connection at once, without a close frame. */
  terminate?(): void;
  /** Listeners are never removed. */
  addEventListener(type: "open" | "message" | "error" | "close", listener: (event: SocketEvent) => void): void;
}

/** The used members of a socket's events; they depend on the type of the event. */
export interface SocketEvent {
  readonly type: string;
  /** `message`: a string or an ArrayBuffer. */
  readonly data?: unknown;
  /** `close` */
  readonly code?: number;
  /** `close` */
  readonly reason?: string;
  /** `error`; browsers do not set it. */
  readonly message?: string;
  /** `error`: in Node, the error, with a code where the message is empty. */
  readonly error?: unknown;
}

/** Makes a connection: the global `WebSocket`, or that of the package `ws`. */
export type SocketConstructor = new (url: string, protocols: string[]) => ClientSocket;

/**
 * The WebSocket that every browser and Node from 22 on has.
 * @throws Error where there is none
 */
export function globalSocket(): SocketConstructor {
  const found = (globalThis as { WebSocket?: unknown }).WebSocket;
  if (typeof found !== "function") throw new Error("no WebSocket");
  return found as SocketConstructor;
}

/** The text of a socket's error event; empty if it has none. */
export function errorText({ message, error }: SocketEvent): string {
  return message || (error as { code?: string } | null | undefined)?.code || "";
}
