/** What a publisher is told to do: the market, and where it goes. */

/** A way to a peer. */
export type Destination =
  | { readonly way: "redis"; readonly url: string }
  | { readonly way: "socketio"; readonly url: string; readonly isVolatile: boolean }
  | { readonly way: "centrifugo"; readonly port: number; readonly format: "json" | "msgpack" }
  | { readonly way: "nats"; readonly port: number }
  /** It serves clients itself. */
  | { readonly way: "uws" };

export interface PublisherOrder {
  readonly symbols: number;
  /** Ticks a second, all symbols together. */
  readonly rate: number;
  readonly seed: number;
  readonly to: Destination;
}
