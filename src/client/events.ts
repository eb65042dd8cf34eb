/** What a client tells, and who listens. */
import type { Quality, Rejection } from "../protocol/messages.ts";
import type { ConnectionState } from "./connection/connection.ts";
import { reportThrown, type TickgateError } from "./connection/error.ts";
import type { Violation } from "./connection/violations.ts";
import type { Quote, QuoteState } from "./quotes/quote.ts";
import type { ClientState } from "./state.ts";

/** By event, what its listeners are called with. */
export interface ClientEvents {
  /** Prices are live or not: see {@link ClientState}. */
  state: [state: ClientState];
  /** The same in detail. */
  connection: [connection: ConnectionState];
  /** A quote has changed in a value or in its state. */
  quote: [quote: Quote];
  /** A tick: the quote is as it stands now. `conflated`: how many ticks it replaced on the way. */
  tick: [quote: Quote, conflated: number];
  /** The gateway said how a symbol stands; `gap`: ticks were missed, and what comes next is whole again. */
  status: [quote: Quote, state: QuoteState | "gap", reason: string];
  /** A symbol was granted: its snapshot follows. Again with each change of terms and each reconnect. */
  granted: [quote: Quote];
  /** Nobody wants the symbol any more: its quote has left the client. */
  ended: [quote: Quote];
  /** A symbol or pattern was not granted. It is asked for again on the next connection, or sooner where that may help. */
  rejected: [rejection: Rejection];
  /** Updates come less often than granted, or as often again. */
  quality: [quality: Quality];
  /** All ticks of one data frame have been told: the moment to paint. */
  frame: [sentAt: number, ticks: number];
  /** A ping was answered. `roundTrip`: ms. */
  pong: [roundTrip: number];
  /** Something was refused or failed. Where nobody listens, it is said on the console. */
  error: [error: TickgateError];
  /** The gateway broke a promise of the protocol. */
  violation: [violation: Violation, detail: string];
}

/** The name of an event. */
export type ClientEvent = keyof ClientEvents;
type Listener<E extends ClientEvent> = (...args: ClientEvents[E]) => void;

export class Listeners {
  readonly #byEvent = new Map<ClientEvent, Set<unknown>>();

  /** @returns what takes it away again */
  add<E extends ClientEvent>(event: E, listener: Listener<E>): () => void {
    const all = this.#byEvent.get(event) ?? new Set();
    this.#byEvent.set(event, all);
    all.add(listener);
    return () => void all.delete(listener);
  }

  has(event: ClientEvent): boolean {
    return (this.#byEvent.get(event)?.size ?? 0) > 0;
  }

  /** Tells all who listen. What one of them throws is reported, and the others are told all the same. */
  tell<E extends ClientEvent>(event: E, ...args: ClientEvents[E]): void {
    const all = this.#byEvent.get(event);
    if (!all) return;
    for (const listener of all as Set<Listener<E>>) {
      try {
        listener(...args);
      } catch (error) {
        reportThrown(error);
      }
    }
  }
}
