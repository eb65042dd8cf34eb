/**
 * What a server speaks, as the swarm needs to know it: how a connection opens, and what its messages say. Tickgate's
 * protocol is one (tickgate_protocol.ts); others can be plugged in, so that all are read by the same sockets at the
 * same cost.
 */
import type { Target } from "../../src/msgpack/msgpack.ts";
import type { Reader } from "./plan.ts";
import type { Selection } from "./selection.ts";

/** What the swarm asks for when it connects. */
export interface Upgrade {
  readonly path: string;
  /** The subprotocol that is offered, and must be taken. */
  readonly subprotocol?: string;
  /** More lines of the request's head, without their ends. */
  readonly headers?: readonly string[];
}

/** One of these serves all connections of a process. */
export interface Protocol {
  readonly upgrade: Upgrade;
  /** Called once for each connection, before it opens. */
  decoder(wire: Wire): Decoder;
}

/** Goes through the messages of one connection, and says what is in them to its wire. */
export interface Decoder {
  /** The upgrade is through: what the client has to say first is said now. */
  opened(): void;
  /** A whole message. Its bytes are good during the call only. */
  message(target: Target, start: number, end: number, isText: boolean): void;
  /** The command that a client gives now and then, where the swarm is asked for it (`--churn`). */
  resubscribe?(): void;
  /** From now on keeps what the last tick of each slot said. */
  keepValues?(): void;
  /** The values of the slot's last tick, if it was kept. */
  valuesOf?(slot: number): readonly (number | null)[] | undefined;
}

/** One connection, as its decoder sees it. */
export interface Wire {
  /** Its place among the connections of this process, from 0. */
  readonly localIndex: number;
  /** The symbols it is to subscribe to. A **slot** is a symbol's place among them. */
  readonly selection: Selection;
  /** How it reads. */
  readonly reader: Reader;
  /** When what is gone through now arrived, microseconds since the Unix epoch by the server's clock. */
  readonly now: number;
  /** The longest time that the swarm itself was held up, microseconds: by so much anything may seem late. */
  readonly ownDelay: number;
  /** Sends a message. */
  send(payload: Uint8Array, isText?: boolean): void;
  /**
   * A tick has come. Counted as fresh when `seq` is above what the slot had and the tick is young enough, as late when
   * it is not, as repeated when `seq` is not above. The first of a slot is its snapshot, which has no age.
   * @param eventTime microseconds since the Unix epoch; NaN when it is not known: then it is neither fresh nor late
   */
  tick(slot: number, seq: number, eventTime: number): void;
  /** The last `seq` of a slot; 0 when there has been none, negative when it was forgotten. */
  seqOf(slot: number): number;
  /** The slot's `seq` may go back, or skip what is not to be counted as conflated. */
  resetSeq(slot: number): void;
  /** Something that should not be: counted by name. @param detail of the first few, for the report */
  reportFault(name: string, detail?: string): void;
  /** Something worth counting, by name. */
  countNote(name: string): void;
}

/** What a protocol's module is told. */
export interface ProtocolPlan {
  /** Every symbol of the market. */
  readonly market: readonly string[];
  /** Connections of this process. */
  readonly connections: number;
  /** Symbols of each. */
  readonly perConnection: number;
  /** The protocol's own settings, as they were handed to the swarm. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
}

/** What a module exports that is to be a protocol of the swarm. */
export interface ProtocolModule {
  createProtocol(plan: ProtocolPlan): Protocol;
}
