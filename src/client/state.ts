/** The state of a client in one word. */
import type { ConnectionState } from "./connection/connection.ts";

/**
 * `connecting`: there is no connection, one is being made; `live`: messages arrive; `stale`: there is a connection, but
 * no message has arrived for two heartbeats; `closed`: for good, by the user or because the gateway refused the client.
 */
export type ClientState = "connecting" | "live" | "stale" | "closed";

export function stateOf({ phase }: ConnectionState): ClientState {
  if (phase === "open") return "live";
  if (phase === "silent") return "stale";
  return phase === "ended" ? "closed" : "connecting";
}
