/**
 * What the client needs of a WebSocket: browsers, Node from 22 on and the package `ws` all have it. Of a connection
 * that could not be made, Node's own tells `error` and no `close`, browsers both, `ws` also the HTTP status.
 */
export interface ClientSocket {
  binaryType: string;
  /** The subprotocol that the gateway chose. */
  readonly protocol: string;
  /** Sends a command: text or bytes, as the subprotocol has it. */
  send(data: string | Uint8Array): void;
  /** Closes with a close frame. */
  close(code?: number, reason?: string): void;
  /** Where there is one, as in the package `ws`: lets go at once, without a word to the other end. */
  terminate?(): void;
  /** Listeners are never removed. */
  addEventListener(type: "open" | "message" | "error" | "close", listener: (event: SocketEvent) => void): void;
}

/** What is read of a socket's events; which one has what depends on its type. */
export interface SocketEvent {
  readonly type: string;
  /** `message`: a string or an ArrayBuffer. */
  readonly data?: unknown;
  /** `close` */
  readonly code?: number;
  /** `close` */
  readonly reason?: string;
  /** `error`; browsers keep it to themselves. */
  readonly message?: string;
  /** `error`: in Node, what went wrong, with a code where the message is empty. */
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
  if (typeof found !== "function") throw new Error("there is no WebSocket here: pass one as options.WebSocket");
  return found as SocketConstructor;
}

/** What a socket's error event says went wrong; empty where it says nothing. */
export function errorText({ message, error }: SocketEvent): string {
  return message || String((error as { code?: unknown } | null | undefined)?.code ?? "");
}

/**
 * Whether an error's message tells an HTTP status that will be the same next time, as the package `ws` does: from 300 to
 * 499, but for those of a request that may be made again as it is.
 */
export function isFinalRefusal(message: string): boolean {
  return /^Unexpected server response: (3|4(?!08|25|29))\d\d$/.test(message);
}
