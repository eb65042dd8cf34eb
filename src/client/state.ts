/** How a client stands, in one word for the screen. */
import type { ConnectionState } from "./connection/connection.ts";

/**
 * `connecting`: there is no connection, one is being made; `live`: there is one, and it is heard; `stale`: there is one,
 * and it has been silent for two heartbeats; `closed`: for good, by the owner or because the gateway said no.
 */
export type ClientState = "connecting" | "live" | "stale" | "closed";

export function stateOf({ phase }: ConnectionState): ClientState {
  if (phase === "open") return "live";
  if (phase === "silent") return "stale";
  return phase === "ended" ? "closed" : "connecting";
}
