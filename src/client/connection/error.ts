/** What goes wrong, with a code that says what: see `code`. */
import type { ErrorCode } from "../../protocol/codes.ts";

/** Of the protocol, and two of the client's own: `refused`, the gateway will not have this client; `closed`, it is over. */
export type TickgateErrorCode = ErrorCode | "refused" | "closed";

/** The codes of the protocol that may pass; here once more, so that the library need not carry the table. */
export const RETRYABLE: readonly string[] = ["too_many_symbols", "too_many_commands", "internal"];

/** A refusal by the gateway, or the end of the client. */
export class TickgateError extends Error {
  override name = "TickgateError";
  readonly code: TickgateErrorCode;
  /** Whether the same may succeed later. */
  readonly retryable: boolean;
  /** The symbol or pattern that it is about, where it is about one. */
  readonly symbol: string | undefined;

  constructor(code: TickgateErrorCode, message: string, symbol?: string, retryable = RETRYABLE.includes(code)) {
    super(message);
    this.code = code;
    this.symbol = symbol;
    this.retryable = retryable;
  }
}

/** An owner's function has thrown: nobody here can mend it, and nobody else is to suffer. It goes where errors go. */
export function reportThrown(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

const told = new Set<string>();

/** Says once for each code what no listener wanted to hear. */
export function reportUnheard(error: TickgateError): void {
  if (told.has(error.code)) return;
  told.add(error.code);
  // biome-ignore lint/suspicious/noConsole: an error that nobody listens for must not be lost
  console.error(error);
}
