/**
 * A session: one client's connection, from `hello` to the close. It reads commands, answers them, and gives its
 * subscriptions their way to the socket; it holds no tick.
 */
import { pack } from "msgpackr";
import { JSON_TEXT, MSGPACK, type TickFormat } from "../market/format.ts";
import { CLOSE_CODES, type CloseName, ERROR_CODES, type ErrorCode } from "../protocol/codes.ts";
import { isFault, readCommand } from "../protocol/command.ts";
import {
  type Command,
  type CommandId,
  type Control,
  PROTOCOL_VERSION,
  type QualityReason,
  type Subprotocol,
  type Subscribe,
  type Unsubscribe,
} from "../protocol/messages.ts";
import { FIELDS, type Field, fieldIndex } from "../tick.ts";
import type { GatewayContext } from "./context.ts";
import { countOne, type GatewayCounts } from "./counts.ts";
import type { Frame } from "./frame.ts";
import { TokenBucket } from "./limiter.ts";
import { type Granted, Portfolio } from "./portfolio.ts";
import { QualityWatch } from "./quality.ts";
import type { Grant } from "./rules.ts";
import type { StatusTeller } from "./status.ts";
import type { Subscription, Way } from "./subscription.ts";
import { ArrivalWindow } from "./window.ts";

/** What is kept at a socket by the server. */
export interface SocketData {
  readonly subprotocol: Subprotocol;
  readonly address: string;
  session: Session | undefined;
}

/** What a session needs of its socket; uWebSockets.js' own is one. It must not be touched once it has been ended. */
export interface Socket {
  getUserData(): SocketData;
  send(message: Uint8Array | string, isBinary: boolean, compress: boolean): number;
  ping(payload: Uint8Array): number;
  /** Writes all that is sent meanwhile in one go. */
  cork(write: () => void): unknown;
  end(code: number, reason: string): void;
  /** Bytes that the kernel has not taken yet. */
  getBufferedAmount(): number;
}

/** Unreadable messages that a connection may send at once, and one more a second, before it is closed. */
const BAD_MESSAGES = 20;
/** Commands over the limit that a connection may send, in seconds' worth of its limit, before it is closed. */
const EXCESS_SECONDS = 3;
/** Heartbeats without an answer before a connection is given up. */
const UNANSWERED_HEARTBEATS = 3;

export class Session implements Way {
  readonly id: string;
  readonly frame: Frame;
  readonly counts: GatewayCounts;
  readonly status: StatusTeller;
  readonly address: string;
  readonly #context: GatewayContext;
  readonly #socket: Socket;
  readonly #format: TickFormat;
  readonly #portfolio: Portfolio;
  readonly #window: ArrivalWindow;
  readonly #commands: TokenBucket;
  readonly #excess: TokenBucket;
  readonly #bad: TokenBucket;
  readonly #quality = new QualityWatch();
  /** Subscriptions whose turn came while the window was full. */
  readonly #waiting = new Set<Subscription>();
  readonly #pingPayload = new DataView(new ArrayBuffer(4));
  #lastSent: number;
  #closed = false;

  constructor(context: GatewayContext, socket: Socket, id: string) {
    const { subprotocol, address } = socket.getUserData();
    const { settings } = context;
    const now = context.clock.millis();
    this.id = id;
    this.address = address;
    this.frame = context.frame;
    this.counts = context.counts;
    this.status = context.status;
    this.#context = context;
    this.#socket = socket;
    this.#format = subprotocol === "tickgate.v1.json" ? JSON_TEXT : MSGPACK;
    // Frames alone must not fill what would close the connection.
    const windowMax = Math.min(settings.windowMax, settings.maxUnreadBytes / 2);
    this.#portfolio = new Portfolio(context, this, this.#format);
    this.#window = new ArrivalWindow(settings.windowMin, windowMax, settings.windowDelay, now);
    this.#commands = new TokenBucket(settings.commandsPerSecond, settings.commandsPerSecond, now);
    const excess = settings.commandsPerSecond * EXCESS_SECONDS;
    this.#excess = new TokenBucket(settings.commandsPerSecond, excess, now);
    this.#bad = new TokenBucket(1, BAD_MESSAGES, now);
    this.#lastSent = now;
  }

  /** Greets the client, and measures the way to it while it is empty. */
  open(): void {
    const { settings, clock } = this.#context;
    this.#send({
      op: "hello",
      protocol: PROTOCOL_VERSION,
      session: this.id,
      node: settings.node,
      time: clock.micros(),
      heartbeat: settings.heartbeat,
      limits: {
        symbols: settings.maxSymbolsPerConnection,
        commandsPerSecond: settings.commandsPerSecond,
        messageBytes: settings.maxMessageBytes,
      },
    });
    this.#ping(clock.millis());
  }

  /** A message of the client's. */
  message(bytes: Uint8Array, binary: boolean): void {
    if (this.#closed) return;
    const now = this.#context.clock.millis();
    this.counts.commands++;
    if (bytes.length > this.#context.settings.maxMessageBytes) return this.close("tooLarge", "message too large");
    if (!this.#commands.take(now)) {
      if (!this.#excess.take(now)) return this.close("tooMany", "too many commands");
      const { commandsPerSecond } = this.#context.settings;
      return this.#fail("too_many_commands", `more than ${commandsPerSecond} commands a second`, undefined);
    }
    if (binary !== this.#format.binary) {
      const kind = this.#format.binary ? "binary" : "text";
      return this.#badMessage(`this subprotocol has ${kind} messages`, undefined, now);
    }
    const command = readCommand(bytes, !binary);
    if (!isFault(command)) return this.#obey(command);
    if (command.fault === "bad_message") return this.#badMessage(command.message, command.id, now);
    this.#fail(command.fault, command.message, command.id);
  }

  /** The client has answered a ping. */
  pong(payload: ArrayBuffer): void {
    if (payload.byteLength !== 4) return;
    const now = this.#context.clock.millis();
    const roundTrip = this.#window.pong(new DataView(payload).getUint32(0), now);
    if (roundTrip < 0) return;
    this.counts.roundTrip.observe(roundTrip * 1_000);
    this.resume();
  }

  /** There may be room again: whoever waited gets a turn. */
  resume(): void {
    if (this.#waiting.size === 0 || this.room(this.#context.clock.millis()) === 0) return;
    for (const subscription of this.#waiting) this.#context.pacer.hurry(subscription);
    this.#waiting.clear();
  }

  /** Bytes that a data frame may have now; 0 when nothing may be sent. */
  room(now: number): number {
    const room = this.#window.room(now);
    // A socket that has backpressure of its own would buffer whatever it is given.
    return room > 0 && this.#socket.getBufferedAmount() === 0 ? room : 0;
  }

  /** The subscription gets a turn when there is room. */
  wait(subscription: Subscription): void {
    this.counts.heldBack++;
    this.#window.holdBack();
    this.#waiting.add(subscription);
    // Bytes are on their way: unless a ping is as well, nobody would say when they have arrived.
    if (this.#window.unansweredSince === undefined) this.#ping(this.#context.clock.millis());
  }

  schedule(subscription: Subscription, due: number): void {
    this.#context.pacer.schedule(subscription, due);
  }

  /** The time that the next frame says it was sent, microseconds since the Unix epoch. */
  sentAt(): number {
    return this.#context.clock.micros();
  }

  /** Counts the ages of a tick that goes into the frame. */
  observe(row: number): void {
    const { table } = this.#context;
    const { sentAt } = this.frame;
    this.counts.writtenAge.observe(sentAt - table.eventTime[row]);
    this.counts.heldAge.observe(sentAt - table.appliedAt[row]);
  }

  /** Sends the frame, and a ping behind it where one is due. */
  sendFrame(frame: Frame, now: number): void {
    if (this.#closed) return;
    const bytes = frame.finish();
    this.#window.sent(bytes.length);
    this.#lastSent = now;
    this.counts.framesOut++;
    this.counts.bytesOut += bytes.length;
    if (!this.#window.pingDue(now)) {
      this.#socket.send(bytes, this.#format.binary, false);
      return;
    }
    this.#socket.cork(() => {
      this.#socket.send(bytes, this.#format.binary, false);
      this.#ping(now);
    });
  }

  /** Sends what has been gathered of how symbols stand. */
  tellStatus(): void {
    for (const status of this.status.take()) this.#send(status);
  }

  /** A subscription's turn has come so late; because of the client where it had been held back. */
  punctual(late: number, interval: number, heldBack: boolean, now: number): void {
    const reason: QualityReason = heldBack ? "client" : "server";
    const quality = this.#quality.turn(late, interval, reason, now);
    if (quality) this.#send(quality);
  }

  /** Grants symbols that have appeared to the patterns that wait for them. */
  meet(): void {
    if (!this.#closed && this.#portfolio.outdated && this.room(this.#context.clock.millis()) > 0) this.#meet();
  }

  /** What time brings: heartbeats, pings, and the end of a connection that does not answer. */
  tick(now: number): void {
    if (this.#closed) return;
    const { heartbeat } = this.#context.settings;
    const since = this.#window.unansweredSince;
    if (since !== undefined && now - since > heartbeat * UNANSWERED_HEARTBEATS)
      return this.close("tooSlow", "no answer to pings");
    const silent = now - this.#lastSent >= heartbeat;
    // In a full window a heartbeat would only queue behind what it is to prove.
    if (silent && this.#window.room(now) > 0) this.#send({ op: "heartbeat", time: this.#context.clock.micros() });
    if (this.#window.canPing && (silent ? since === undefined : this.#window.pingDue(now))) this.#ping(now);
    this.#tellQuality(now);
    this.meet();
    this.resume();
  }

  /** Gives every subscription a turn: the state of symbols has changed. */
  hurry(): void {
    for (const subscription of this.#portfolio.subscriptions) this.#context.pacer.hurry(subscription);
  }

  /** Says goodbye and closes: the gateway is going. @param retryAfter ms */
  bye(name: CloseName, reason: string, retryAfter: number): void {
    if (this.#closed) return;
    this.#send({ op: "bye", code: CLOSE_CODES[name].code, reason, retryAfter });
    this.close(name, reason);
  }

  /** Closes the connection from this side. */
  close(name: CloseName, reason: string): void {
    if (this.#closed) return;
    const { code } = CLOSE_CODES[name];
    countOne(this.counts.closes, code);
    this.#context.log.debug({ session: this.id, address: this.address, code, reason }, "closing a connection");
    this.#release();
    this.#socket.end(code, reason);
  }

  /** The socket has been closed, by whomever. */
  ended(): void {
    this.#release();
  }

  #release(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting.clear();
    this.#portfolio.close();
  }

  #meet(): void {
    for (const [grant, granted] of this.#portfolio.meet()) this.#grant(grant, granted, undefined);
  }

  #obey(command: Command): void {
    // Room or not: a command is about the symbols that there are, and must find them asked about.
    if (this.#portfolio.outdated) this.#meet();
    // What a subscription has been told of a symbol does not move with it: nothing may be left untold.
    for (const subscription of this.#portfolio.subscriptions) subscription.tellStatus();
    if (this.#closed) return;
    switch (command.op) {
      case "ping":
        return this.#send({ op: "pong", ...idOf(command), time: this.#context.clock.micros() });
      case "subscribe":
        return this.#subscribe(command);
      case "unsubscribe":
        return this.#unsubscribe(command);
    }
  }

  #subscribe(command: Subscribe): void {
    const { settings } = this.#context;
    const fields = (command.fields ?? FIELDS) as readonly Field[];
    const interval = Math.max(Math.ceil(command.interval ?? settings.interval), settings.minInterval);
    const grant: Grant = { interval, fields, positions: Uint8Array.from(fields, fieldIndex) };
    this.#grant(grant, this.#portfolio.subscribe(command.symbols, grant), command.id);
  }

  #grant(grant: Grant, { rows, rejected }: Granted, id: CommandId | undefined): void {
    const { symbols } = this.#context.table;
    this.#send({
      op: "subscribed",
      ...idOf({ id }),
      interval: grant.interval,
      fields: [...grant.fields],
      symbols: rows.map((row) => [symbols[row], row]),
      rejected,
    });
    for (const row of rows) this.status.first(row);
    this.tellStatus();
  }

  #unsubscribe(command: Unsubscribe): void {
    const ended = this.#portfolio.unsubscribe(command.symbols);
    if (!ended && !command.symbols.includes("*"))
      return this.#fail("not_subscribed", "none of these symbols is subscribed to", command.id);
    this.#send({ op: "unsubscribed", ...idOf(command), symbols: ended ?? [] });
  }

  #badMessage(message: string, id: CommandId | undefined, now: number): void {
    if (!this.#bad.take(now)) return this.close("protocolBroken", "too many messages that are no commands");
    this.#fail("bad_message", message, id);
  }

  #fail(code: ErrorCode, message: string, id: CommandId | undefined): void {
    countOne(this.counts.errors, code);
    this.#send({ op: "error", ...idOf({ id }), code, message, retryable: ERROR_CODES[code].retryable });
  }

  #tellQuality(now: number): void {
    let granted = Number.POSITIVE_INFINITY;
    for (const subscription of this.#portfolio.subscriptions) {
      granted = Math.min(granted, subscription.interval);
      // One that waits has no turns that could be late: its waiting is.
      if (this.#waiting.has(subscription)) this.punctual(now - subscription.due, subscription.interval, true, now);
    }
    const quality = this.#quality.look(now, Number.isFinite(granted) ? granted : 0);
    if (quality) this.#send(quality);
  }

  /** Sends a control message. These are few and answer something: they pass the window, but not without bound. */
  #send(message: Control): void {
    if (this.#closed) return;
    const bytes = this.#format.binary ? pack(message) : JSON.stringify(message);
    const length = typeof bytes === "string" ? Buffer.byteLength(bytes) : bytes.length;
    this.#window.sent(length);
    this.#lastSent = this.#context.clock.millis();
    this.counts.controlOut++;
    this.counts.bytesOut += length;
    this.#socket.send(bytes, this.#format.binary, false);
    if (this.#window.inFlight > this.#context.settings.maxUnreadBytes) this.close("tooSlow", "too many bytes unread");
  }

  #ping(now: number): void {
    if (this.#closed || !this.#window.canPing) return;
    this.#pingPayload.setUint32(0, this.#window.ping(now));
    this.counts.pingsOut++;
    this.#socket.ping(new Uint8Array(this.#pingPayload.buffer));
  }
}

function idOf(command: { id?: CommandId }): { id?: CommandId } {
  return command.id === undefined ? {} : { id: command.id };
}
