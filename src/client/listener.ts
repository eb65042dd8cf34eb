/** What a client can be told about: whoever listens implements what it wants of this. */
import type { Failure, Quality, Rejection } from "../protocol/messages.ts";
import type { ConnectionState } from "./connection.ts";
import type { Quote } from "./quote.ts";
import type { Violation } from "./violations.ts";

export interface ClientListener {
  /** The connection stands otherwise than before. When it is not `open`, no quote is live. */
  connection?(state: ConnectionState): void;
  /** A symbol was granted: its quote is in the book, its snapshot follows. Again with each change and reconnect. */
  granted?(quote: Quote): void;
  /** A symbol or pattern was not granted. It is asked for again on the next connection. */
  rejected?(rejection: Rejection): void;
  /** A symbol was ended: its quote has left the book. */
  ended?(quote: Quote): void;
  /** A tick: the quote is as it stands now. `conflated`: how many ticks it replaced on the way. */
  tick?(quote: Quote, conflated: number): void;
  /** All ticks of one data frame have been told: the moment to paint. */
  frame?(sentAt: number, ticks: number): void;
  /** The gateway said how a symbol stands; `gap`: ticks were missed, and what comes next is whole again. */
  status?(quote: Quote, state: Quote["state"] | "gap", reason: string): void;
  quality?(quality: Quality): void;
  /** A ping was answered. @param roundTrip ms */
  pong?(roundTrip: number): void;
  /** A command failed; the connection goes on. */
  error?(failure: Failure): void;
  violation?(violation: Violation, detail: string): void;
}

/** Several listeners as one. A listener must not throw: what it throws is the caller's, and cuts the frame short. */
export class Listeners {
  readonly #all = new Set<ClientListener>();

  /** @returns what takes it away again */
  add(listener: ClientListener): () => void {
    this.#all.add(listener);
    return () => void this.#all.delete(listener);
  }

  /** Tells all who want to know. */
  tell<E extends keyof ClientListener>(event: E, ...args: Parameters<NonNullable<ClientListener[E]>>): void {
    for (const listener of this.#all) {
      const method = listener[event] as ((...args: unknown[]) => void) | undefined;
      method?.apply(listener, args);
    }
  }
}
