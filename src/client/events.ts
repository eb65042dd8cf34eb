/** The events of a client, and their listeners. */
import type { Quality, Rejection } from "../protocol/messages.ts";
import type { ConnectionState } from "./connection/connection.ts";
import { callUser, type TickgateError } from "./connection/error.ts";
import type { Violation } from "./connection/violations.ts";
import type { Quote } from "./quotes/quote.ts";
import type { QuoteState } from "./records/view.ts";
import type { ClientState } from "./state.ts";

/** The arguments of each event's listeners. */
export interface ClientEvents {
  /** The state of the client has changed: see {@link ClientState}. */
  state: [state: ClientState];
  /** The same in detail. */
  connection: [connection: ConnectionState];
  /** A quote has changed in a value or in its state. */
  quote: [quote: Quote];
  /** A tick: the quote has its values. `conflated`: how many ticks it replaced. */
  tick: [quote: Quote, conflated: number];
  /** The gateway reported the state of a symbol; `gap`: it missed ticks, and the next tick is complete again. */
  status: [quote: Quote, state: QuoteState | "gap", reason: string];
  /** A symbol was granted: its snapshot follows. Also after each change of a subscription and each reconnect. */
  granted: [quote: Quote];
  /** No subscription covers the symbol any more: the client has dropped its quote. */
  ended: [quote: Quote];
  /**
   * A symbol or pattern was refused. The client asks again on the next connection, or sooner where that may succeed.
   */
  rejected: [rejection: Rejection];
  /** The gateway sends updates less often than granted, or again as often. */
  quality: [quality: Quality];
  /** The events of all ticks of one data frame have been emitted: the time to paint. */
  frame: [sentAt: number, ticks: number];
  /** A ping was answered. `roundTrip`: ms. */
  pong: [roundTrip: number];
  /** Something was refused or failed. Without a listener it is written to the console. */
  error: [error: TickgateError];
  /** The gateway violated the protocol. */
  violation: [violation: Violation, detail: string];
}

/** The name of an event. */
export type ClientEvent = keyof ClientEvents;
type Listener<E extends ClientEvent> = (...args: ClientEvents[E]) => void;

export class Listeners {
  readonly #byEvent = new Map<ClientEvent, Set<unknown>>();

  /** @returns a function that removes the listener */
  add<E extends ClientEvent>(event: E, listener: Listener<E>): () => void {
    const all = this.#byEvent.get(event) ?? new Set();
    this.#byEvent.set(event, all);
    all.add(listener);
    return () => void all.delete(listener);
  }

  /**
   * Calls all listeners of an event. An error of one does not keep the others from being called.
   * @returns whether there is one
   */
  emit<E extends ClientEvent>(event: E, ...args: ClientEvents[E]): boolean {
    let hasOne = false;
    for (const listener of (this.#byEvent.get(event) ?? []) as Iterable<Listener<E>>) {
      hasOne = true;
      callUser(listener, ...args);
    }
    return hasOne;
  }
}
