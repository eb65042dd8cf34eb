/** The first message on a connection. */
import type { Clock } from "../../base/clock.ts";
import type { Authority } from "../../identity/identity.ts";
import { CHANNELS, type Hello, PROTOCOL_VERSION } from "../../protocol/messages.ts";
import type { Settings } from "../../settings/settings.ts";

export interface HelloParts {
  readonly settings: Pick<Settings, "commandsPerSecond" | "heartbeat" | "maxMessageBytes" | "node">;
  readonly clock: Clock;
  readonly authority: Authority;
}

/** @param symbols that the connection may hold */
export function helloOf({ settings, clock, authority }: HelloParts, session: string, symbols: number): Hello {
  const { node, heartbeat, commandsPerSecond, maxMessageBytes: messageBytes } = settings;
  return {
    op: "hello",
    protocol: PROTOCOL_VERSION,
    session,
    node,
    time: clock.micros(),
    heartbeat,
    channels: [...CHANNELS],
    auth: authority.mode,
    limits: { symbols, commandsPerSecond, messageBytes },
  };
}
