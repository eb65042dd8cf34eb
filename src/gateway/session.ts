/**
 * A session: one client's connection, from `hello` to the close. It reads commands and answers them; what it is
 * subscribed to is the portfolio's, and how that gets to the client is the outlet's.
 */
import { CLOSE_CODES, type CloseName, ERROR_CODES, type ErrorCode } from "../protocol/codes.ts";
import { isFault, readCommand } from "../protocol/command.ts";
import {
  type Command,
  type CommandId,
  PROTOCOL_VERSION,
  type Subscribe,
  type Unsubscribe,
} from "../protocol/messages.ts";
import { FIELDS, type Field, fieldIndex } from "../tick.ts";
import type { GatewayContext } from "./context.ts";
import { countOne } from "./counts.ts";
import { TokenBucket } from "./limiter.ts";
import { Outlet, type Socket } from "./outlet.ts";
import { type Granted, Portfolio } from "./portfolio.ts";
import type { Grant } from "./rules.ts";
import type { FrameTrace } from "./tracer.ts";

/** Unreadable messages that a connection may send at once, and one more a second, before it is closed. */
const BAD_MESSAGES = 20;
/** Commands over the limit that a connection may send, in seconds' worth of its limit, before it is closed. */
const EXCESS_SECONDS = 3;

const CLOSING = "closing a connection";

/** How a session gets its outlet. */
export type CreateOutlet = (...args: ConstructorParameters<typeof Outlet>) => Outlet;

export class Session {
  readonly id: string;
  readonly address: string;
  readonly agent: string;
  /** When it connected, ms of the clock. */
  readonly openedAt: number;
  readonly #context: GatewayContext;
  readonly #socket: Socket;
  readonly #outlet: Outlet;
  readonly #portfolio: Portfolio;
  readonly #commands: TokenBucket;
  readonly #excess: TokenBucket;
  readonly #bad: TokenBucket;

  constructor(
    context: GatewayContext,
    socket: Socket,
    id: string,
    createOutlet: CreateOutlet = (...args) => new Outlet(...args),
  ) {
    const { commandsPerSecond } = context.settings;
    const now = context.clock.millis();
    this.id = id;
    ({ address: this.address, agent: this.agent } = socket.getUserData());
    this.openedAt = now;
    this.#context = context;
    this.#socket = socket;
    this.#outlet = createOutlet(context, socket, (name, reason) => this.close(name, reason));
    this.#portfolio = new Portfolio(context, this.#outlet, this.#outlet.format);
    this.#commands = new TokenBucket(commandsPerSecond, commandsPerSecond, now);
    this.#excess = new TokenBucket(commandsPerSecond, commandsPerSecond * EXCESS_SECONDS, now);
    this.#bad = new TokenBucket(1, BAD_MESSAGES, now);
  }

  /** Its way out, to be looked at. */
  get outlet(): Readonly<Outlet> {
    return this.#outlet;
  }

  /** Follows what is sent to it from now on; undefined: no longer. */
  trace(follow: FrameTrace | undefined): void {
    const now = this.#context.clock.millis();
    // What is followed is what turns send.
    for (const { listener } of this.#portfolio.subscriptions) listener?.unlisten(now);
    this.#outlet.trace(follow);
  }

  /** Symbols that it holds. */
  get symbols(): number {
    return this.#portfolio.count;
  }

  /** The shortest interval that it was granted, ms; infinite where it holds nothing. */
  get interval(): number {
    return this.#portfolio.interval;
  }

  /** Greets the client, and measures the way to it while it is empty. */
  open(): void {
    const { settings, clock } = this.#context;
    this.#outlet.send({
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
    this.#outlet.ping(clock.millis());
  }

  /** A message of the client's. */
  message(bytes: Uint8Array, binary: boolean): void {
    if (this.#outlet.closed) return;
    const { settings, clock, counts } = this.#context;
    const now = clock.millis();
    counts.commands++;
    if (bytes.length > settings.maxMessageBytes) return this.close("tooLarge", "message too large");
    const isOverLimit = !this.#commands.take(now);
    if (isOverLimit && !this.#excess.take(now)) return this.close("tooMany", "too many commands");
    const { format } = this.#outlet;
    if (binary !== format.binary) {
      const kind = format.binary ? "binary" : "text";
      return this.#badMessage(`this subprotocol has ${kind} messages`, undefined, now);
    }
    const command = readCommand(bytes, !binary);
    // Read all the same: the answer carries its id.
    if (isOverLimit)
      return this.#fail("too_many_commands", `more than ${settings.commandsPerSecond} commands a second`, command.id);
    if (!isFault(command)) return this.#obey(command);
    if (command.fault === "bad_message") return this.#badMessage(command.message, command.id, now);
    this.#fail(command.fault, command.message, command.id);
  }

  /** The client has answered a ping. */
  pong(payload: ArrayBuffer): void {
    this.#outlet.pong(payload);
  }

  /** The socket has written what it had kept. */
  drained(): void {
    this.#outlet.drained();
  }

  /** Grants symbols that have appeared to the patterns that wait for them. */
  meet(): void {
    const { closed } = this.#outlet;
    if (!closed && this.#portfolio.outdated && this.#outlet.room(this.#context.clock.millis()) > 0) this.#meet();
  }

  /** What time brings. @returns whether a ping is due */
  tick(now: number): boolean {
    if (this.#outlet.closed) return false;
    const { interval } = this;
    for (const { listener } of this.#portfolio.subscriptions) listener?.settle(now);
    const isPingDue = this.#outlet.tick(now, Number.isFinite(interval) ? interval : 0);
    for (const { listener } of this.#portfolio.subscriptions) listener?.tend(now);
    this.meet();
    return isPingDue;
  }

  /** Asks the client to say what has arrived. */
  ping(now: number): void {
    for (const { listener } of this.#portfolio.subscriptions) listener?.represent();
    this.#outlet.ping(now);
  }

  /** Gives every subscription a turn: the state of symbols has changed. */
  hurry(): void {
    for (const subscription of this.#portfolio.subscriptions) this.#context.pacer.hurry(subscription);
  }

  /** Says goodbye and closes: the gateway is going. @param retryAfter ms */
  bye(name: CloseName, reason: string, retryAfter: number): void {
    if (this.#outlet.closed) return;
    this.#outlet.send({ op: "bye", code: CLOSE_CODES[name].code, reason, retryAfter });
    this.close(name, reason);
  }

  /** Closes the connection from this side. */
  close(name: CloseName, reason: string): void {
    if (this.#outlet.closed) return;
    const { code } = CLOSE_CODES[name];
    countOne(this.#context.counts.closes, name);
    this.#logClose(name, reason);
    this.#release();
    this.#socket.end(code, reason);
  }

  #logClose(name: CloseName, reason: string): void {
    const { log, events, clock } = this.#context;
    const { code } = CLOSE_CODES[name];
    const who = { session: this.id, address: this.address, agent: this.agent };
    // Everyone is, when a node goes.
    if (name === "restarting" || name === "goingAway") return log.debug({ ...who, code, reason }, CLOSING);
    const slow = name === "tooSlow" ? flowOf(this.#outlet, clock.millis()) : {};
    events.add(name === "tooSlow" ? "warn" : "info", { ...who, code, reason, ...slow }, CLOSING, name);
  }

  /** The socket has been closed, by whomever. */
  ended(): void {
    if (!this.#outlet.closed) countOne(this.#context.counts.closes, "client");
    this.#release();
  }

  #release(): void {
    if (this.#outlet.closed) return;
    this.#outlet.close();
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
    if (this.#outlet.closed) return;
    switch (command.op) {
      case "ping":
        return this.#outlet.send({ op: "pong", ...idOf(command), time: this.#context.clock.micros() });
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
    this.#outlet.send({
      op: "subscribed",
      ...idOf({ id }),
      interval: grant.interval,
      fields: [...grant.fields],
      symbols: rows.map((row) => [symbols[row], row]),
      rejected,
    });
    for (const row of rows) this.#outlet.status.first(row);
    this.#outlet.tellStatus();
  }

  #unsubscribe(command: Unsubscribe): void {
    const ended = this.#portfolio.unsubscribe(command.symbols);
    if (!ended && !command.symbols.includes("*"))
      return this.#fail("not_subscribed", "none of these symbols is subscribed to", command.id);
    this.#outlet.send({ op: "unsubscribed", ...idOf(command), symbols: ended ?? [] });
  }

  #badMessage(message: string, id: CommandId | undefined, now: number): void {
    if (!this.#bad.take(now)) return this.close("protocolBroken", "too many messages that are no commands");
    this.#fail("bad_message", message, id);
  }

  #fail(code: ErrorCode, message: string, id: CommandId | undefined): void {
    countOne(this.#context.counts.errors, code);
    this.#outlet.send({ op: "error", ...idOf({ id }), code, message, retryable: ERROR_CODES[code].retryable });
  }
}

/** What tells how slow a client was: how far it was behind, ms, and how many bytes it had not taken. */
function flowOf(outlet: Outlet, now: number): { behind: number; inFlight: number } {
  return { behind: Math.round(outlet.behind(now)), inFlight: outlet.window.inFlight };
}

function idOf(command: { id?: CommandId }): { id?: CommandId } {
  return command.id === undefined ? {} : { id: command.id };
}
