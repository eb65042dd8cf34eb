/**
 * For the tests of sessions: a gateway without a network, with a clock that the test advances, one session at an
 * in-memory socket, and a market that the test writes tick by tick.
 */
import assert from "node:assert/strict";
import { decode, encode } from "@msgpack/msgpack";
import { pino } from "pino";
import { ManualClock } from "../../src/base/clock.ts";
import { FIELD_COUNT, LIVE } from "../../src/base/tick.ts";
import { MemoryBus } from "../../src/bus/memory.ts";
import { createContext, type GatewayContext } from "../../src/gateway/context.ts";
import type { Publish } from "../../src/gateway/fanout/topic_index.ts";
import { Ingest } from "../../src/gateway/ingest.ts";
import { Maintenance } from "../../src/gateway/maintenance.ts";
import { OutboundConnection } from "../../src/gateway/outbound/outbound_connection.ts";
import type { Socket, SocketData } from "../../src/gateway/outbound/socket.ts";
import type { CommandScheduler } from "../../src/gateway/session/command_scheduler.ts";
import { Session } from "../../src/gateway/session/session.ts";
import type { Authority } from "../../src/identity/identity.ts";
import { BusRecord } from "../../src/market/bus_record.ts";
import type { Control, Subprotocol } from "../../src/protocol/messages.ts";
import { SETTINGS, type Settings } from "../../src/settings/settings.ts";

/** A tick on the wire. */
export type WireTick = [handle: number, seq: number, eventTime: number, ...values: (number | null)[]];

/** All settings at their defaults, except the given ones. */
export function testSettings(own: Partial<Settings> = {}): Settings {
  const defaults = Object.fromEntries(Object.entries(SETTINGS).map(([name, setting]) => [name, setting.default]));
  return { ...(defaults as unknown as Settings), ...own };
}

/** A bus that records the followed shards. */
export class CountingBus extends MemoryBus {
  readonly followed = new Map<string, number>();

  override follow(symbol = "*"): void {
    this.followed.set(symbol, (this.followed.get(symbol) ?? 0) + 1);
  }

  override unfollow(symbol = "*"): void {
    const count = (this.followed.get(symbol) ?? 0) - 1;
    if (count === 0) this.followed.delete(symbol);
    else this.followed.set(symbol, count);
  }
}

/** The receiver of a session's messages. */
export interface ClientReceiver {
  control(message: Control): void;
  frame(sentAt: number, ticks: WireTick[], bytes: number): void;
}

/** An in-memory socket. Like a real one it must not be used after its end. */
export class MemorySocket implements Socket {
  readonly #data: SocketData;
  readonly #receiver: ClientReceiver;
  readonly #onEnd: () => void;
  /** Pings without an answer, and whether each is answered at once. */
  readonly pings: ArrayBuffer[] = [];
  /** The subscribed topics. */
  readonly topics = new Set<string>();
  buffered = 0;
  ended: { code: number; reason: string } | undefined;

  constructor(subprotocol: Subprotocol, hearer: ClientReceiver, onEnd: () => void) {
    this.#data = { subprotocol, address: "127.0.0.1", agent: "test" };
    this.#receiver = hearer;
    this.#onEnd = onEnd;
  }

  getUserData(): SocketData {
    return this.#data;
  }

  send(message: Uint8Array | string, isBinary: boolean): number {
    this.#open();
    const bytes = Buffer.from(message);
    const value: unknown = isBinary ? decode(bytes) : JSON.parse(bytes.toString());
    if (Array.isArray(value)) this.#receiver.frame(value[0], value.slice(1), bytes.length);
    else this.#receiver.control(value as Control);
    return this.buffered > 0 ? 0 : 1;
  }

  ping(payload: Uint8Array): number {
    this.#open();
    this.pings.push(Uint8Array.from(payload).buffer);
    return 1;
  }

  cork(write: () => void): void {
    this.#open();
    write();
  }

  subscribe(topic: string): void {
    this.#open();
    assert.ok(!this.topics.has(topic), `${topic} twice`);
    this.topics.add(topic);
  }

  unsubscribe(topic: string): void {
    this.#open();
    assert.ok(this.topics.delete(topic), `not subscribed to ${topic}`);
  }

  end(code: number, reason: string): void {
    this.#open();
    this.ended = { code, reason };
    this.#onEnd();
  }

  getBufferedAmount(): number {
    this.#open();
    return this.buffered;
  }

  #open(): void {
    if (this.ended) throw new Error("the socket has ended");
  }
}

/** An outbound connection whose frames can be limited below its window. */
export class NarrowConnection extends OutboundConnection {
  /** The most bytes of a frame; 0 for none at all. */
  narrow = Number.POSITIVE_INFINITY;

  override room(now: number): number {
    return Math.min(super.room(now), this.narrow);
  }
}

export class SessionBench {
  readonly clock = new ManualClock();
  readonly bus = new CountingBus();
  readonly context: GatewayContext;
  readonly ingest: Ingest;
  readonly socket: MemorySocket;
  readonly session: Session;
  readonly outbound: NarrowConnection;
  /** Whether the client answers pings. */
  isAnswering = true;
  readonly #maintenance: Maintenance;
  readonly #sessions = new Set<Session>();
  readonly #clients: [MemorySocket, Session][] = [];
  #elapsed = 0;

  /** @param commands runs the commands; by default all immediately */
  constructor(
    subprotocol: Subprotocol,
    hearer: ClientReceiver,
    own: Partial<Settings> = {},
    commands?: (clock: ManualClock) => CommandScheduler,
    authority?: Authority,
  ) {
    const settings = testSettings(own);
    const { clock, bus } = this;
    const publish: Publish = (topic, frame, isBinary) => {
      for (const [socket] of this.#clients) if (!socket.ended && socket.topics.has(topic)) socket.send(frame, isBinary);
    };
    this.context = createContext(
      settings,
      bus,
      clock,
      pino({ level: "silent" }),
      publish,
      authority,
      commands?.(clock),
    );
    const { table, topics, counts } = this.context;
    this.ingest = new Ingest(table, topics, counts, clock, this.context.tracer);
    this.socket = new MemorySocket(subprotocol, hearer, () => this.session.handleClose());
    this.outbound = new NarrowConnection(this.context, this.socket, "session", (name, reason) =>
      this.session.close(name, reason),
    );
    this.session = new Session(this.context, this.socket, "session", () => this.outbound);
    this.#clients.push([this.socket, this.session]);
    this.#sessions.add(this.session);
    this.#maintenance = new Maintenance(this.context, this.#sessions);
  }

  /** Another client. @returns what sends a message of it */
  join(subprotocol: Subprotocol, hearer: ClientReceiver): (message: unknown) => void {
    let session: Session | undefined;
    const socket = new MemorySocket(subprotocol, hearer, () => session?.handleClose());
    const outbound = new NarrowConnection(this.context, socket, "other", (name, reason) =>
      session?.close(name, reason),
    );
    const joined = new Session(this.context, socket, "other", () => outbound);
    session = joined;
    this.#clients.push([socket, joined]);
    this.#sessions.add(joined);
    return (message) => {
      if (subprotocol === "tickgate.v1.json") joined.handleMessage(Buffer.from(JSON.stringify(message)), false);
      else joined.handleMessage(encode(message), true);
    };
  }

  /** The close code of the gateway. */
  get closeCode(): number | undefined {
    return this.socket.ended?.code;
  }

  /** A record of one symbol from the bus; the tick's values follow from its epoch and `seq`. */
  record(symbol: string, part: Partial<BusRecord>): void {
    const record = Object.assign(new BusRecord(), { symbol, state: LIVE, since: this.clock.micros() }, part);
    record.eventTime = record.epoch * 1_000_000 + record.seq;
    record.values = valuesOf(record.epoch, record.seq);
    this.ingest.record(record);
    this.ingest.batchEnd();
  }

  /** A message of the client. */
  send(message: unknown): void {
    const { subprotocol } = this.socket.getUserData();
    if (subprotocol === "tickgate.v1.json") this.session.handleMessage(Buffer.from(JSON.stringify(message)), false);
    else this.session.handleMessage(encode(message), true);
  }

  /** Advances the time in steps of 5 ms, and runs the gateway's maintenance. */
  advance(millis: number): void {
    for (let passed = 0; passed < millis; passed += 5) {
      this.clock.advance(5);
      this.#elapsed += 5;
      this.context.scheduler.run();
      this.context.commands.run();
      if (this.isAnswering) this.answer();
      if (this.#elapsed % Maintenance.interval === 0) this.#maintenance.run(this.clock.millis());
    }
  }

  /** Answers all pings. */
  answer(): void {
    for (const [socket, session] of this.#clients)
      for (const ping of socket.pings.splice(0)) if (!socket.ended) session.handlePong(ping);
  }
}

/** The values of a tick, which identify it; some are null. */
export function valuesOf(epoch: number, seq: number): Float64Array {
  const values = new Float64Array(FIELD_COUNT);
  for (let index = 0; index < FIELD_COUNT; index++)
    values[index] = (seq + index) % 4 === 0 ? Number.NaN : epoch * 1e9 + seq * 100 + index + 0.5;
  return values;
}
