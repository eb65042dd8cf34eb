/**
 * A session: one client's connection, from `hello` to the close. It reads commands and answers them. The subscription
 * set has what the client is subscribed to; the outbound connection sends it.
 */

import type { Logger } from "pino";
import type { Identity } from "../../identity/identity.ts";
import { isBarMarket, marketOf } from "../../market/market_name.ts";
import { CLOSE_CODES, type CloseName, ERROR_CODES, type ErrorCode } from "../../protocol/codes.ts";
import { type CommandFault, isFault, readCommand } from "../../protocol/command.ts";
import type { Auth, Command, CommandId, EndReason, Subscribe, Unsubscribe } from "../../protocol/messages.ts";
import type { Settings } from "../../settings/settings.ts";
import { type AccessLog, AccessRecord } from "../access/access_record.ts";
import {
  type AuthFailure,
  type IdentityOwner,
  SessionIdentity,
  type SessionIdentityParts,
} from "../access/session_identity.ts";
import { countOne } from "../counts.ts";
import type { StatusBatcher } from "../fanout/status_batcher.ts";
import type { FrameTrace } from "../latency/tracer.ts";
import { OutboundConnection, type OutboundParts } from "../outbound/outbound_connection.ts";
import type { Socket } from "../outbound/socket.ts";
import type { StallWatch } from "../outbound/stall_watch.ts";
import { ChannelSubscriptions, type ChannelSubscriptionsParts } from "./channel_subscriptions.ts";
import { CommandLimits } from "./command_limits.ts";
import { type CommandOwner, CommandQueue, type Steps } from "./command_queue.ts";
import type { CommandScheduler } from "./command_scheduler.ts";
import { idOf } from "./grant_answers.ts";
import { helloOf } from "./hello.ts";
import { grantOf, lastOf } from "./requested_grant.ts";
import { TokenBucket } from "./token_bucket.ts";
import { untilKnown } from "./until_known.ts";

/**
 * One connection's share of the bytes that may wait in all: of the default 1 MB, three times what names all the symbols
 * it may hold.
 */
const PENDING_SHARE = 1 / 16;

const CLOSING = "closing a connection";

/** What all sessions share. */
export interface SessionParts extends OutboundParts, ChannelSubscriptionsParts, SessionIdentityParts {
  readonly settings: OutboundParts["settings"] &
    ChannelSubscriptionsParts["settings"] &
    SessionIdentityParts["settings"] &
    Pick<
      Settings,
      | "commandSymbolsPerSecond"
      | "commandsPerSecond"
      | "drainSpread"
      | "interval"
      | "maxMessageBytes"
      | "maxPendingCommandBytes"
      | "minInterval"
      | "node"
    >;
  readonly log: Logger;
  readonly status: StatusBatcher;
  readonly commands: CommandScheduler;
  readonly stalls: StallWatch;
  readonly numbers: OutboundParts["numbers"] & ChannelSubscriptionsParts["numbers"];
  /** Undefined: nothing is written. */
  readonly accessLog: AccessLog | undefined;
}

/** How a session gets its connection. */
export type CreateOutbound = (...args: ConstructorParameters<typeof OutboundConnection>) => OutboundConnection;

export class Session implements CommandOwner, IdentityOwner {
  readonly id: string;
  readonly address: string;
  readonly agent: string;
  /** When it connected, ms of the clock. */
  readonly openedAt: number;
  readonly #parts: SessionParts;
  readonly #socket: Socket;
  readonly #outbound: OutboundConnection;
  readonly #subscriptions: ChannelSubscriptions;
  readonly #queue: CommandQueue;
  readonly #limits: CommandLimits;
  readonly #identity: SessionIdentity;
  readonly #access: AccessRecord | undefined;
  /** The steps that remain since the identity has changed. */
  #review: Generator<void, void, void> | undefined;

  constructor(
    shared: SessionParts,
    socket: Socket,
    id: string,
    createOutbound: CreateOutbound = (...args) => new OutboundConnection(...args),
  ) {
    const { commandSymbolsPerSecond, maxSymbolsPerConnection, maxMessageBytes } = shared.settings;
    const pending = Math.max(maxMessageBytes, shared.settings.maxPendingCommandBytes * PENDING_SHARE);
    const now = shared.clock.millis();
    this.id = id;
    ({ address: this.address, agent: this.agent } = socket.getUserData());
    this.openedAt = now;
    this.#parts = shared;
    this.#socket = socket;
    this.#outbound = createOutbound(shared, socket, id, (name, reason) => this.close(name, reason));
    this.#limits = new CommandLimits(shared);
    // Twice all that it may hold at once: a client that reconnects and then subscribes to something else does not wait.
    const work = new TokenBucket(commandSymbolsPerSecond, commandSymbolsPerSecond + maxSymbolsPerConnection * 2, now);
    this.#queue = new CommandQueue(this, shared.commands, shared.clock, work, pending);
    this.#identity = new SessionIdentity(shared, this, socket.getUserData().identity);
    const { accessLog, clock } = shared;
    const connection = { session: id, address: this.address };
    if (accessLog) this.#access = new AccessRecord(accessLog, connection, this.identity, () => clock.micros());
    this.#subscriptions = new ChannelSubscriptions(shared, this.#outbound, this.#access, this.identity);
  }

  /** For reports and the log. */
  get identity(): Identity | undefined {
    return this.#identity.current;
  }

  /** For reports. */
  get outbound(): Readonly<OutboundConnection> {
    return this.#outbound;
  }

  /** @param follow gets each frame from now on; undefined ends that */
  trace(follow: FrameTrace | undefined): void {
    const now = this.#parts.clock.millis();
    // The frames of flushes are traced, those of the broadcast are not.
    this.#subscriptions.leaveBroadcast(now);
    this.#outbound.trace(follow);
  }

  /** Symbols that it holds. */
  get symbols(): number {
    return this.#subscriptions.count;
  }

  /** The shortest interval that was granted, ms; infinite where nothing is held. */
  get interval(): number {
    return this.#subscriptions.interval;
  }

  /** Sends `hello`, and a ping that measures the bare round trip. */
  open(): void {
    const { settings, clock } = this.#parts;
    const symbols = this.identity ? this.#subscriptions.maxSymbols : settings.maxSymbolsPerConnection;
    this.#outbound.send(helloOf(this.#parts, this.id, symbols));
    this.#outbound.ping(clock.millis());
  }

  /** Reads a message of the client, or refuses it. */
  handleMessage(bytes: Uint8Array, binary: boolean): void {
    if (this.#outbound.isClosed) return;
    const { settings, counts } = this.#parts;
    counts.commands++;
    if (bytes.length > settings.maxMessageBytes) return this.close("tooLarge", "message too large");
    const taken = this.#limits.take();
    if (taken === "close") return this.close("tooMany", "too many commands");
    if (taken === "refuse")
      return this.#refuse(bytes, binary, `more than ${settings.commandsPerSecond} commands a second`);
    if (!this.#queue.push(bytes, binary, settings.maxPendingCommandBytes))
      this.#refuse(bytes, binary, "too many commands wait to be carried out");
  }

  get isWritable(): boolean {
    return !this.#outbound.isClosed && !this.#outbound.isBlocked;
  }

  begin(bytes: Uint8Array, binary: boolean): Steps | Promise<Steps | undefined> | undefined {
    const command = this.#read(bytes, binary);
    if (command === undefined) return undefined;
    if (!isFault(command)) return this.#execute(command);
    if (command.fault === "bad_message") this.#rejectMessage(command.message, command.id);
    else this.#sendError(command.fault, command.message, command.id);
    return undefined;
  }

  /** The client has answered a ping. */
  handlePong(payload: ArrayBuffer): void {
    this.#outbound.handlePong(payload);
  }

  /** The kernel has taken bytes that the socket had buffered. */
  handleDrain(): void {
    this.#outbound.handleDrain();
    this.#queue.resume();
  }

  /** Symbols have appeared: those that patterns match are granted in steps of the command queue. */
  matchNewSymbols(): void {
    this.#subscriptions.noticeNewSymbols();
    this.#queue.resume();
  }

  mustCatchUp(isAsked: boolean): boolean {
    if (this.#review) return true;
    // Before a command with or without room: it is about all symbols that exist, and these must have been compared with
    // the patterns.
    if (isAsked) this.#subscriptions.noticeNewSymbols();
    return this.#subscriptions.hasNewSymbols && (isAsked || this.#outbound.room(this.#parts.clock.millis()) > 0);
  }

  catchUp(): void {
    if (this.#review) return this.#continueReview(this.#review);
    this.#subscriptions.matchNewSymbols();
  }

  /** The policy or the revocations have changed. */
  reviewIdentity(): void {
    this.#identity.review();
  }

  applyIdentity(identity: Identity | undefined, reason: EndReason): void {
    const now = this.#parts.clock.millis();
    this.#subscriptions.identity = identity;
    this.#access?.identify(identity);
    // Nothing is sent until all that is held has been compared with the new identity.
    this.#subscriptions.leaveBroadcast(now);
    this.#outbound.suspend();
    this.#review = this.#subscriptions.review(reason);
    this.#queue.resume();
  }

  warnExpiring(millis: number): void {
    this.#outbound.send({ op: "expiring", in: millis });
  }

  endUnidentified(reason: string): void {
    this.sayBye("notAuthenticated", reason, Math.round(Math.random() * this.#parts.settings.drainSpread));
  }

  #continueReview(review: Generator<void, void, void>): void {
    if (!review.next().done || this.#outbound.isClosed) return;
    this.#review = undefined;
    if (this.#access) for (const [symbol, delay] of this.#subscriptions.seen()) this.#access.see(symbol, delay);
    this.#outbound.release();
  }

  /** Does what is due every 250 ms. @returns whether a ping is due */
  maintain(now: number): boolean {
    if (this.#outbound.isClosed) return false;
    this.#identity.maintain();
    if (this.#outbound.isClosed) return false;
    const { interval } = this;
    this.#subscriptions.accountBroadcast(now);
    const isPingDue = this.#outbound.maintain(now, Number.isFinite(interval) ? interval : 0);
    this.#subscriptions.limitBroadcast(now);
    this.#queue.resume();
    return isPingDue;
  }

  /** Sends a ping: its pong says what has arrived. */
  ping(now: number): void {
    this.#subscriptions.sampleBroadcast();
    this.#outbound.ping(now);
  }

  /** Schedules a flush of each subscription: states of symbols have changed. */
  scheduleFlushes(): void {
    this.#subscriptions.scheduleFlushes();
  }

  /** Sends `bye` and closes: the gateway shuts down. @param retryAfter ms */
  sayBye(name: CloseName, reason: string, retryAfter: number): void {
    if (this.#outbound.isClosed) return;
    this.#outbound.send({ op: "bye", code: CLOSE_CODES[name].code, reason, retryAfter });
    this.close(name, reason);
  }

  /** Closes the connection from this side. */
  close(name: CloseName, reason: string): void {
    if (this.#outbound.isClosed) return;
    const { code } = CLOSE_CODES[name];
    countOne(this.#parts.counts.closes, name);
    this.#logClose(name, reason);
    this.#release();
    this.#socket.end(code, reason);
  }

  #logClose(name: CloseName, reason: string): void {
    const { log, events, clock } = this.#parts;
    const { code } = CLOSE_CODES[name];
    const who = { session: this.id, address: this.address, agent: this.agent, subject: this.identity?.subject };
    // When a node shuts down, all sessions are closed: one line each would be too many.
    if (name === "restarting" || name === "goingAway") return log.debug({ ...who, code, reason }, CLOSING);
    const slow = name === "tooSlow" ? this.#outbound.slowness(clock.millis()) : {};
    events.write(name === "tooSlow" ? "warn" : "info", { ...who, code, reason, ...slow }, CLOSING, name);
  }

  /** The socket has been closed, by either side. */
  handleClose(): void {
    if (!this.#outbound.isClosed) countOne(this.#parts.counts.closes, "client");
    this.#release();
  }

  #release(): void {
    if (this.#outbound.isClosed) return;
    this.#outbound.close();
    this.#access?.close();
    this.#identity.close();
    this.#queue.close();
    this.#subscriptions.close();
  }

  /** @returns undefined where the message has the wrong type and has been answered */
  #read(bytes: Uint8Array, binary: boolean): Command | CommandFault | undefined {
    const { format } = this.#outbound;
    if (binary === format.binary) return readCommand(bytes, !binary);
    this.#rejectMessage(`this subprotocol has ${format.binary ? "binary" : "text"} messages`, undefined);
    return undefined;
  }

  /**
   * Refuses a command because there are too many. The message is read nevertheless: the answer has the command's id.
   */
  #refuse(bytes: Uint8Array, binary: boolean, message: string): void {
    const command = this.#read(bytes, binary);
    if (command) this.#sendError("too_many_commands", message, command.id);
  }

  #execute(command: Command): Steps | Promise<Steps | undefined> | undefined {
    if (command.op === "ping") {
      this.#outbound.send({ op: "pong", ...idOf(command), time: this.#parts.clock.micros() });
      return undefined;
    }
    if (command.op === "auth") return this.#authenticate(command);
    if (this.#identity.current)
      return command.op === "subscribe" ? this.#awaitPast(command) : this.#unsubscribe(command);
    this.#sendError("not_authenticated", "a token is required first: send auth", command.id);
    return undefined;
  }

  async #authenticate({ token, id }: Auth): Promise<undefined> {
    const failure = await this.#identity.authenticate(token);
    if (this.#outbound.isClosed) return;
    const identity = this.#identity.current;
    if (failure) this.#refuseToken(failure, id);
    else if (identity) {
      const { subject = "", expires = null } = identity;
      this.#outbound.send({ op: "authenticated", ...idOf({ id }), subject, expires });
    }
  }

  #refuseToken({ refused, message }: AuthFailure, id: CommandId | undefined): void {
    if (refused === "full") this.close("tooMany", message);
    else if (refused === "unavailable") this.#sendError("internal", message, id);
    else if (this.#limits.takeBad()) this.#sendError(refused, message, id);
    else this.close("notAuthenticated", "too many tokens that are not valid");
  }

  /** Past bars come first: where the bus is still to bring them, the command waits for that, up to a limit. */
  #awaitPast(command: Subscribe): Steps | Promise<Steps> {
    const name = marketOf(command.channel ?? "quote", command.resolution);
    if (!isBarMarket(name)) return this.#subscribe(command);
    const { clock, markets } = this.#parts;
    const known = untilKnown(markets.of(name).bus, clock, command.symbols);
    return known ? known.then(() => this.#subscribe(command)) : this.#subscribe(command);
  }

  *#subscribe(command: Subscribe): Generator<number, number, void> {
    const { set, answers } = this.#subscriptions.of(marketOf(command.channel ?? "quote", command.resolution));
    const granting = set.subscribe(command.symbols, grantOf(command, this.#parts.settings), lastOf(command));
    for (;;) {
      // A symbol that moves to another subscription does not take unsent changes of its state with it.
      this.#subscriptions.sendStatus();
      const { value, done } = granting.next();
      answers.subscribed(value, command.id, !done);
      if (done) return value.work;
      yield value.work;
    }
  }

  *#unsubscribe(command: Unsubscribe): Generator<number, number, void> {
    const { set, answers } = this.#subscriptions.of(marketOf(command.channel ?? "quote", command.resolution));
    const ending = set.unsubscribe(command.symbols);
    for (;;) {
      const { value, done } = ending.next();
      if (!value && !command.symbols.includes("*"))
        this.#sendError("not_subscribed", "none of these symbols is subscribed to", command.id);
      else answers.unsubscribed(value?.symbols ?? [], idOf(command), !done);
      const work = value?.work ?? 0;
      if (done) return work;
      yield work;
    }
  }

  #rejectMessage(message: string, id: CommandId | undefined): void {
    if (!this.#limits.takeBad()) return this.close("protocolBroken", "too many messages that are no commands");
    this.#sendError("bad_message", message, id);
  }

  #sendError(code: ErrorCode, message: string, id: CommandId | undefined): void {
    countOne(this.#parts.counts.errors, code);
    this.#outbound.send({ op: "error", ...idOf({ id }), code, message, retryable: ERROR_CODES[code].retryable });
  }
}
