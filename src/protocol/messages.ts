/**
 * The control messages of the client protocol, version 1, as types: shared by the gateway and the client library.
 * Data frames are arrays (`[sentAt, tick, …]`) and have no type of their own on the gateway, which writes bytes.
 */
import type { Field, State } from "../base/tick.ts";
import type { ErrorCode } from "./codes.ts";

/** The version of the protocol in `hello`. */
export const PROTOCOL_VERSION = 1;

/** The subprotocols, the default first. */
export const SUBPROTOCOLS = ["tickgate.v1.msgpack", "tickgate.v1.json"] as const;
/** The name of a subprotocol, which determines the format of the messages. */
export type Subprotocol = (typeof SUBPROTOCOLS)[number];

/** The largest data frame, in bytes. */
export const MAX_FRAME_BYTES = 65_536;
/** The largest control message of a gateway, in bytes: many client libraries refuse more than 32 KiB by default. */
export const MAX_CONTROL_BYTES = 16_384;
/** The longest id of a command, in characters: the answer contains it, and has a limited size. */
export const MAX_ID_LENGTH = 64;
/** The longest interval that a client may request, in milliseconds. */
export const MAX_INTERVAL = 3_600_000;

/** The reason of a `stale` status of a symbol that no feed publishes, until its first tick. */
export const NOBODY_PUBLISHES = "unknown";

/** A kind of market data that can be subscribed to. */
export type Channel = "quote" | "book" | "trade" | "bar";
/** All of them. */
export const CHANNELS: readonly Channel[] = ["quote", "book", "trade", "bar"];

/** How long bars are. */
export const RESOLUTIONS = ["1s", "1m", "5m", "15m", "1h", "1d"] as const;
/** How long a bar is, from a second to a day. */
export type Resolution = (typeof RESOLUTIONS)[number];
export const DEFAULT_RESOLUTION: Resolution = "1m";

/** The depths that are granted of a book: the next one that is enough for what was asked for. */
export const DEPTHS = [1, 5, 10, 20, 50] as const;
export const DEFAULT_DEPTH = 10;
/** The most of the latest trades and bars that a client may ask for; and how many bars come without asking. */
export const MAX_LAST_TRADES = 1_000;
export const MAX_LAST_BARS = 5_000;
export const DEFAULT_LAST_BARS = 300;

/** The client's id of a command; the answer contains it. */
export type CommandId = string | number;

export interface Subscribe {
  op: "subscribe";
  id?: CommandId;
  symbols: string[];
  channel?: Channel;
  interval?: number;
  /** Of quotes. */
  fields?: string[];
  /** Of books: how many levels. */
  depth?: number;
  /** Of bars. */
  resolution?: Resolution;
  /** Of trades and bars: how many of the latest come first. */
  last?: number;
}

export interface Unsubscribe {
  op: "unsubscribe";
  id?: CommandId;
  channel?: Channel;
  /** Of bars. */
  resolution?: Resolution;
  symbols: string[];
}

export interface Ping {
  op: "ping";
  id?: CommandId;
}

/** Presents a token, the first or another one. */
export interface Auth {
  op: "auth";
  id?: CommandId;
  token: string;
}

/** Client to gateway. */
export type Command = Subscribe | Unsubscribe | Ping | Auth;

/** Whether the gateway reads tokens (`optional`), and whether a client may do without one (not where `required`). */
export type AuthMode = "none" | "optional" | "required";

/** The first message on a connection. `time` is in microseconds since the Unix epoch, `heartbeat` in milliseconds. */
export interface Hello {
  op: "hello";
  protocol: number;
  session: string;
  node: string;
  time: number;
  heartbeat: number;
  channels: Channel[];
  auth: AuthMode;
  limits: { symbols: number; commandsPerSecond: number; messageBytes: number };
}

/** A symbol or pattern of a subscribe command that was not granted, and why. */
export interface Rejection {
  symbol: string;
  code: ErrorCode;
  message: string;
}

export interface Subscribed {
  op: "subscribed";
  id?: CommandId;
  /** Another part of the same answer follows. */
  more?: true;
  interval: number;
  fields: Field[];
  symbols: [symbol: string, handle: number][];
  /** Those of `symbols` whose data is late on purpose, and by how many milliseconds. */
  delayed?: [symbol: string, delay: number][];
  rejected: Rejection[];
}

/** The answer in another channel than `quote`. */
export interface ChannelSubscribed {
  op: "subscribed";
  id?: CommandId;
  more?: true;
  channel: Exclude<Channel, "quote">;
  interval: number;
  /** Of books. */
  depth?: number;
  /** Of bars. */
  resolution?: Resolution;
  /** Of trades and bars each with a count: so many past ones come first. */
  symbols: [symbol: string, handle: number, count?: number][];
  rejected: Rejection[];
}

export interface Unsubscribed {
  op: "unsubscribed";
  id?: CommandId;
  /** Another part of the same answer follows. */
  more?: true;
  channel?: Channel;
  resolution?: Resolution;
  symbols: string[];
  /** Why the gateway has ended them; undefined where the client has. */
  reason?: EndReason;
}

/** The client may not see the symbols any more: by its new token or a new policy, or because its token has expired. */
export type EndReason = "not_entitled" | "expired";

/** A token was accepted. `expires` is in microseconds since the Unix epoch, null for never. */
export interface Authenticated {
  op: "authenticated";
  id?: CommandId;
  subject: string;
  expires: number | null;
}

/** The token expires in so many milliseconds. */
export interface Expiring {
  op: "expiring";
  in: number;
}

export interface Status {
  op: "status";
  channel?: Channel;
  resolution?: Resolution;
  symbols: string[];
  state: State | "gap";
  reason?: string;
  /** Of a gap of trades: how many this client will never receive, null where that is not known. */
  missed?: number | null;
  since: number;
}

/** Whether updates come as often as granted. `interval`: how often they come now, in milliseconds. */
export interface Quality {
  op: "quality";
  state: "conflating" | "realtime";
  interval: number;
  reason: QualityReason;
}

/**
 * Whose doing it is that updates come less often than granted: the client reads too slowly, the gateway is saturated.
 */
export type QualityReason = "client" | "server";

export interface Heartbeat {
  op: "heartbeat";
  time: number;
}

export interface Pong {
  op: "pong";
  id?: CommandId;
  time: number;
}

export interface Failure {
  op: "error";
  id?: CommandId;
  code: ErrorCode;
  message: string;
  retryable: boolean;
}

export interface Bye {
  op: "bye";
  code: number;
  reason: string;
  retryAfter: number;
}

/** Gateway to client, but for data frames; a subscription of another channel than `quote` has another answer. */
export type Control =
  | Hello
  | Authenticated
  | Expiring
  | Subscribed
  | Unsubscribed
  | Status
  | Quality
  | Heartbeat
  | Pong
  | Failure
  | Bye;
