/** Errors with a code, and how the client reports them. */
import type { ErrorCode } from "../../protocol/codes.ts";

/** A code of the protocol, or one of the client: `refused`, the gateway refuses this client; `closed`, it is closed. */
export type TickgateErrorCode = ErrorCode | "refused" | "closed";

/** The retryable codes of the protocol. Repeated here so that the library does not contain the whole table. */
export const RETRYABLE: readonly string[] = ["too_many_symbols", "too_many_commands", "internal"];

/** A refusal by the gateway, or the end of the client. */
export class TickgateError extends Error {
  override name = "TickgateError";
  readonly code: TickgateErrorCode;
  /** Whether the same may succeed later. */
  readonly retryable: boolean;
  /** The symbol or pattern that was refused, if any. */
  readonly symbol: string | undefined;

  constructor(code: TickgateErrorCode, message: string, symbol?: string, retryable = RETRYABLE.includes(code)) {
    super(message);
    this.code = code;
    this.symbol = symbol;
    this.retryable = retryable;
  }
}

/** Calls a callback of the user's. An error that it throws is reported as uncaught, without disturbing the caller. */
export function callUser<A extends unknown[]>(callback: ((...args: A) => void) | undefined, ...args: A): void {
  try {
    callback?.(...args);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

const reported = new Set<string>();

/** Writes an error that has no listener to the console, once for each code. */
export function reportUnhandled(error: TickgateError): void {
  if (reported.has(error.code)) return;
  reported.add(error.code);
  // biome-ignore lint/suspicious/noConsole: an error without a listener must not be lost
  console.error(error);
}
