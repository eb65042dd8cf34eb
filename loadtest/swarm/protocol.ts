/**
 * The interface of a protocol: how a connection opens, and how its messages are decoded. The swarm uses Tickgate's
 * (tickgate_protocol.ts); the comparison (peers/) adds others, so that all servers have the same clients.
 */
import type { Target } from "../../src/msgpack/msgpack.ts";
import type { Reader } from "./plan.ts";
import type { Selection } from "./selection.ts";

/** The WebSocket upgrade request. */
export interface Upgrade {
  readonly path: string;
  /** The subprotocol, which the server must accept. */
  readonly subprotocol?: string;
  /** More header lines, without line ends. */
  readonly headers?: readonly string[];
}

/** One instance serves all connections of a process. */
export interface Protocol {
  readonly upgrade: Upgrade;
  /** Called once for each connection, before it opens. */
  decoder(wire: Wire): Decoder;
}

/** The channels besides quotes. */
export const STREAM_CHANNELS = ["trade", "book", "bar"] as const;
export type StreamChannel = (typeof STREAM_CHANNELS)[number];

/** The state of a symbol of one connection in such a channel. */
export interface StreamState {
  readonly slot: number;
  /** The last `seq` that is accounted for; 0 where none is. */
  readonly seq: number;
  /** Its last values, if they are kept. */
  readonly values: readonly number[] | undefined;
}

/** Decodes the messages of one connection and reports their content to its wire. */
export interface Decoder {
  /** Called after the upgrade; sends the first messages. */
  opened(): void;
  /** A complete message. Its bytes are valid only during the call. */
  message(target: Target, start: number, end: number, isText: boolean): void;
  /** Unsubscribes some symbols and subscribes again (`--churn`). */
  resubscribe?(): void;
  /** From now on keeps the values of the last tick of each slot. */
  keepValues?(): void;
  /** The values of the slot's last tick, if it was kept. */
  valuesOf?(slot: number): readonly (number | null)[] | undefined;
  /** Its subscriptions in another channel than quotes. */
  streamsOf?(channel: StreamChannel): Iterable<StreamState>;
}

/** A connection, as its decoder uses it. */
export interface Wire {
  /** Its index among the connections of this process. */
  readonly localIndex: number;
  /** The symbols to subscribe to. A **slot** is a symbol's index among them. */
  readonly selection: Selection;
  /** How it reads. */
  readonly reader: Reader;
  /** The arrival time of the current bytes, microseconds since the Unix epoch by the server's clock. */
  readonly now: number;
  /** The longest delay of the swarm's own event loop, microseconds: messages may seem late by this much. */
  readonly ownDelay: number;
  /** Sends a message. */
  send(payload: Uint8Array, isText?: boolean): void;
  /**
   * Reports a tick. It counts as repeated unless `seq` is higher than the slot's; otherwise as fresh or late, by its
   * age. The first tick of a slot is its snapshot, which has no age.
   * @param eventTime microseconds since the Unix epoch; NaN if unknown: then it is neither fresh nor late
   */
  tick(slot: number, seq: number, eventTime: number): void;
  /**
   * Counts a trade, a book or a bar, and its age.
   * @param eventTime as of {@link tick}; NaN for a snapshot and for a bar
   */
  streamTick(channel: StreamChannel, eventTime: number): void;
  /** Counts trades that the server says will never be sent. */
  addMissed(trades: number): void;
  /** The last `seq` of a slot; 0 before the first tick, negative after {@link resetSeq}. */
  seqOf(slot: number): number;
  /** The slot's next `seq` may be lower, or higher without counting conflated ticks. */
  resetSeq(slot: number): void;
  /** Counts a broken promise by name. @param detail for the report, which has the first few */
  reportFault(name: string, detail?: string): void;
  /** Counts an event by name. */
  countNote(name: string): void;
}

/** The parameters of a protocol. */
export interface ProtocolPlan {
  /** Every symbol of the market. */
  readonly market: readonly string[];
  /** Connections of this process. */
  readonly connections: number;
  /** Symbols of each. */
  readonly perConnection: number;
  /** The protocol's own settings, from the plan. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
}

/** The exports of a protocol module. */
export interface ProtocolModule {
  createProtocol(plan: ProtocolPlan): Protocol;
}
