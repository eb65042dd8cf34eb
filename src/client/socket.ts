/**
 * What the client needs of a WebSocket: browsers, Node from 22 on and the package `ws` all have it. Of a connection
 * that could not be made, Node's own tells `error` and no `close`, browsers both, `ws` also the HTTP status.
 */
export interface ClientSocket {
  binaryType: string;
  /** The subprotocol that the gateway chose. */
  readonly protocol: string;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
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

export type SocketConstructor = new (url: string, protocols: string[]) => ClientSocket;

/**
 * The WebSocket that every browser and Node from 22 on has.
 * @throws Error where there is none
 */
export function globalSocket(): SocketConstructor {
  const found = (globalThis as { WebSocket?: unknown }).WebSocket;
  if (typeof found !== "function")
    throw new Error("there is no WebSocket here; pass a constructor as options.WebSocket");
  return found as SocketConstructor;
}

/** What a socket's error event says went wrong; empty where it says nothing. */
export function errorText({ message, error }: SocketEvent): string {
  if (message) return message;
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "";
}

const HTTP_STATUS = /^Unexpected server response: (\d{3})$/;
/** HTTP statuses of a request that may be made again as it is, though they begin with a 4. */
const PASSING_STATUSES: readonly number[] = [408, 425, 429];

/** Whether an error's message tells an HTTP status that will be the same next time (the package `ws` tells it). */
export function isFinalRefusal(message: string): boolean {
  const status = Number(HTTP_STATUS.exec(message)?.[1] ?? 0);
  return status >= 300 && status < 500 && !PASSING_STATUSES.includes(status);
}
