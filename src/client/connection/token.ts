/** The token of a client. */
import { TickgateError } from "./error.ts";

/** A token, or a function that returns one: only that can have another one later. */
export type TokenSource = string | (() => Promise<string> | string);

export interface TokenOptions {
  /** Undefined: there is none. */
  readonly token: TokenSource | undefined;
  /** Is called when a token could not be had. */
  readonly failed: (error: TickgateError) => void;
}

/** How long an attempt may take, ms: to get a token, and to connect or to have it accepted. */
export const TOKEN_TIME = 10_000;
/** What is said when it takes longer. */
export const TOKEN_LATE = "no answer";

/**
 * Asks for a token.
 * @param isCurrent whether it is still needed; if not, nothing is called
 * @param retry is called when there is none
 */
export async function askToken(
  { token: source, failed }: TokenOptions,
  isCurrent: () => boolean,
  use: (token: string) => void,
  retry: (reason: string) => void,
): Promise<void> {
  try {
    const token: unknown = typeof source === "function" ? await source() : source;
    // The parts of a JWT. A WebSocket offers it as a subprotocol, where most other characters are errors.
    if (typeof token !== "string" || !/^[\w.-]+$/.test(token)) throw new TypeError("not a token");
    if (isCurrent()) use(token);
  } catch (thrown) {
    if (!isCurrent()) return;
    const error = new TickgateError("invalid_token", `no token: ${thrown}`);
    retry(error.message);
    failed(error);
  }
}
