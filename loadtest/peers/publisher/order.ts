/** The argument of the publisher process: the market and its destination. */

/** How ticks reach the peer. */
export type Destination =
  | { readonly via: "redis"; readonly url: string }
  | { readonly via: "socketio"; readonly url: string; readonly isVolatile: boolean }
  | { readonly via: "centrifugo"; readonly port: number; readonly format: "json" | "msgpack" }
  | { readonly via: "nats"; readonly port: number }
  /** The publisher serves the clients itself. */
  | { readonly via: "uws" };

export interface PublisherOrder {
  readonly symbols: number;
  /** Ticks per second of all symbols together. */
  readonly rate: number;
  readonly seed: number;
  readonly to: Destination;
}
