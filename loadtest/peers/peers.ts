/** All peers, in the order of their runs and of the tables. */

import { CENTRIFUGO } from "./centrifugo.ts";
import { EMBEDDED } from "./embedded.ts";
import { UWS, WS } from "./libraries.ts";
import { NATS } from "./nats.ts";
import type { Peer } from "./peer.ts";
import { SOCKETIO } from "./socketio.ts";
import { tickgate } from "./tickgate.ts";

export const PEERS: readonly Peer[] = [
  tickgate(0),
  tickgate(100),
  SOCKETIO[0],
  WS,
  UWS,
  CENTRIFUGO[0],
  NATS,
  ...SOCKETIO.slice(1),
  ...CENTRIFUGO.slice(1),
  ...EMBEDDED,
];
