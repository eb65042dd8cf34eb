/** What is read of the floor (floor.ts): nothing. The swarm counts its frames. */
import type { Protocol } from "../swarm/protocol.ts";

export function createProtocol(): Protocol {
  return { upgrade: { path: "/v1/stream" }, decoder: () => ({ opened() {}, message() {} }) };
}
