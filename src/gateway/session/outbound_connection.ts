/**
 * The way out to one client: the socket, and the window that says how much may be on it. Control messages and frames
 * leave through here and nowhere else.
 */
import { pack } from "msgpackr";
import type { Clock } from "../../base/clock.ts";
import type { RateLimitedLog } from "../../log/rate_limited_log.ts";
import { JSON_TEXT, MSGPACK, type TickFormat } from "../../market/format.ts";
import type { GatewayTable } from "../../market/gateway_table.ts";
import type { CloseName } from "../../protocol/codes.ts";
import type { Control, Quality, QualityReason } from "../../protocol/messages.ts";
import type { Settings } from "../../settings/settings.ts";
import type { GatewayCounts } from "../counts.ts";
import type { FlushScheduler } from "../fanout/flush_scheduler.ts";
import type { Frame } from "../fanout/frame.ts";
import type { Numbers } from "../fanout/numbers.ts";
import type { BroadcastSink, Sink, Waiter } from "../fanout/sink.ts";
import { DELIVERY_NUMBERS, LatencySampler } from "../latency/latency_sampler.ts";
import type { FrameTrace } from "../latency/tracer.ts";
import { InFlightWindow, WINDOW_NUMBERS } from "./in_flight_window.ts";
import { QualityWatch } from "./quality.ts";
import type { Socket } from "./socket.ts";

/** The number of a ping: what is sent is copied at once, so one does for all. */
const pingPayload = new DataView(new ArrayBuffer(4));
const pingBytes = new Uint8Array(pingPayload.buffer);

/** What a socket's `send` tells where it keeps what it could not give to the kernel. */
const BACKPRESSURE = 0;

/** How many numbers a connection has. */
export const CONNECTION_NUMBERS = DELIVERY_NUMBERS + WINDOW_NUMBERS;

/** Heartbeats without an answer before a connection is given up. */
const UNANSWERED_HEARTBEATS = 3;

/** What all connections share. */
export interface OutboundParts {
  readonly settings: Pick<
    Settings,
    "heartbeat" | "maxUnreadBytes" | "metrics" | "windowDelay" | "windowMax" | "windowMin"
  >;
  readonly clock: Clock;
  /** The log of what clients cause. */
  readonly events: RateLimitedLog;
  readonly table: GatewayTable;
  readonly scheduler: FlushScheduler;
  readonly numbers: { readonly connections: Numbers };
  readonly counts: GatewayCounts;
}

export class OutboundConnection implements Sink, BroadcastSink {
  readonly format: TickFormat;
  readonly #id: string;
  readonly #parts: OutboundParts;
  readonly #socket: Socket;
  readonly #window: InFlightWindow;
  /** Where the numbers of the window and of the delivery watch are. */
  readonly #numbers: Numbers;
  readonly #at: number;
  /** Undefined where latencies are not measured. */
  readonly #delivery: LatencySampler | undefined;
  readonly #quality = new QualityWatch();
  /** Among whom it is counted. */
  #counted: QualityReason | undefined;
  /** Subscriptions whose turn came while the window was full. */
  readonly #waiting = new Set<Waiter>();
  /** Closes the session. */
  readonly #closeSession: (name: CloseName, reason: string) => void;
  /** Whether the socket keeps bytes that the kernel has not taken, as far as has been seen. */
  #blocked = false;
  /** Who follows what is sent, if anyone does. */
  #trace: FrameTrace | undefined;
  #ticks = 0;
  #conflated = 0;
  /** Whether one of its subscriptions listens to the broadcast; and bytes that went to it by that between the last two looks. */
  #hasTopics = false;
  #ahead = 0;
  #closed = false;

  /**
   * @param id the session's, for the log
   * @param closeSession closes the session, and with it this connection
   */
  constructor(
    parts: OutboundParts,
    socket: Socket,
    id: string,
    closeSession: (name: CloseName, reason: string) => void,
  ) {
    const { settings, clock, table, counts } = parts;
    const now = clock.millis();
    this.#id = id;
    this.format = socket.getUserData().subprotocol === "tickgate.v1.json" ? JSON_TEXT : MSGPACK;
    this.#parts = parts;
    this.#socket = socket;
    this.#closeSession = closeSession;
    // Frames alone must not fill what would close the connection.
    const windowMax = Math.min(settings.windowMax, settings.maxUnreadBytes / 2);
    const numbers = parts.numbers.connections;
    const at = numbers.take();
    this.#numbers = numbers;
    this.#at = at;
    const { windowMin, windowDelay, metrics } = settings;
    this.#window = new InFlightWindow(windowMin, windowMax, windowDelay, now, numbers, at + DELIVERY_NUMBERS);
    this.#delivery = metrics ? new LatencySampler(table, counts.latency, numbers, at) : undefined;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether the socket keeps bytes that the kernel has not taken: more would only pile up. */
  get isBlocked(): boolean {
    if (!this.#blocked && !this.#closed && this.#socket.getBufferedAmount() > 0) this.#blocked = true;
    return this.#blocked;
  }

  /** What is on the way to the client, and how long it takes. */
  get window(): Readonly<InFlightWindow> {
    return this.#window;
  }

  /** Whose doing it is that the client gets less than granted, as it has been told; undefined while it gets all. */
  get conflating(): QualityReason | undefined {
    return this.#quality.conflating;
  }

  /** Ticks sent, snapshots not counted, and ticks that newer ones replaced before. */
  get ticks(): number {
    return this.#ticks;
  }

  get conflated(): number {
    return this.#conflated;
  }

  /** How old the last tick was that has been followed to its arrival, ms; NaN where none has been. */
  get age(): number {
    return (this.#delivery?.age ?? Number.NaN) / 1_000;
  }

  /** How long the turn that has waited longest for room has waited, ms. */
  held(now: number): number {
    let held = 0;
    for (const { due, closed } of this.#waiting) if (!closed) held = Math.max(held, now - due);
    return held;
  }

  /**
   * How much later than it asked for the client has its prices, ms: what waits here for room and then queues on the
   * way, or what has been on its way for longer than that already.
   */
  behind(now: number): number {
    const { lastTrip, roundTrip, unansweredSince = now } = this.#window;
    const bare = Number.isFinite(roundTrip) ? roundTrip : 0;
    return Math.max(0, this.held(now) + Math.max(0, lastTrip - bare), now - unansweredSince - bare);
  }

  /** Sends a control message. These are few and answer something: they pass the window, but not without bound. */
  send(message: Control): void {
    if (this.#closed) return;
    const bytes = this.format.binary ? pack(message) : JSON.stringify(message);
    const length = typeof bytes === "string" ? Buffer.byteLength(bytes) : bytes.length;
    this.#window.sent(length, this.#parts.clock.millis());
    this.#parts.counts.controlOut++;
    this.#parts.counts.bytesOut += length;
    this.#write(bytes);
    if (this.#window.inFlight > this.#parts.settings.maxUnreadBytes)
      this.#closeSession("tooSlow", "too many bytes unread");
  }

  /** Sends the frame, and a ping behind it where one is due. */
  sendFrame(frame: Frame, now: number): void {
    if (this.#closed) return;
    const bytes = frame.finish();
    this.#window.sent(bytes.length, now);
    this.#parts.counts.framesOut++;
    this.#parts.counts.bytesOut += bytes.length;
    if (!this.#window.pingDue(now)) {
      this.#write(bytes);
      return;
    }
    this.#socket.cork(() => {
      this.#write(bytes);
      this.ping(now);
    });
    // What is written in one go is written after `send` has answered.
    if (this.#socket.getBufferedAmount() > 0) this.#blocked = true;
  }

  /** Bytes that a data frame may have now; 0 when nothing may be sent. */
  room(now: number): number {
    // A socket that has backpressure of its own would buffer whatever it is given.
    return this.#blocked ? 0 : this.#window.room(now);
  }

  /** A subscription may listen to the broadcast: one of a connection, as long as all is well. */
  canBroadcast(now: number): boolean {
    return (
      !this.#hasTopics && !this.#trace && this.#waiting.size === 0 && !this.conflating && this.broadcastBudget(now) > 0
    );
  }

  /** Bytes that may go to the client by broadcast until it is looked at; 0 where it must not listen. */
  broadcastBudget(now: number): number {
    // Nobody is told what becomes of a frame that was broadcast.
    if (this.#socket.getBufferedAmount() > 0) this.#blocked = true;
    return this.room(now) > 0 ? this.#window.untilFull : 0;
  }

  /** What is broadcast under a topic goes to the client. */
  subscribe(topic: string): void {
    this.#hasTopics = true;
    this.#socket.subscribe(topic);
  }

  /** It does not any more. */
  unsubscribe(topic: string): void {
    this.#hasTopics = false;
    this.#ahead = 0;
    if (!this.#closed) this.#socket.unsubscribe(topic);
  }

  /** So much was broadcast to it, and so many ticks were left out by their feed. */
  account(bytes: number, ticks: number, leftOut: number, now: number): void {
    if (this.#closed) return;
    this.#window.sent(bytes, now);
    this.#ahead = bytes;
    this.#ticks += ticks;
    this.#conflated += leftOut;
  }

  /** So many ticks were broadcast to it, of which one of this row stands for all. */
  sampleBroadcast(row: number, ticks: number, waited: number): void {
    if (this.#delivery && LatencySampler.chooses(this.#numbers, this.#at, ticks))
      this.#delivery.broadcast(row, ticks, waited);
  }

  isPingDue(now: number): boolean {
    return this.#window.pingDue(now, this.#ahead);
  }

  /** The subscription gets a turn when there is room. */
  waitForRoom(waiter: Waiter): void {
    this.#parts.counts.heldBack++;
    this.#window.holdBack();
    this.#waiting.add(waiter);
    this.#ensurePing(this.#parts.clock.millis());
  }

  /** Follows what is sent from now on; undefined: no longer. */
  trace(follow: FrameTrace | undefined): void {
    this.#trace = follow;
  }

  /** Chooses those of the ticks in the frame that are followed to their arrival. */
  sampleFrame(frame: Frame, from: number, now: number, due: number, held: number): void {
    const ticks = frame.count - from;
    this.#ticks += ticks;
    this.#trace?.(frame, from, now, due, held);
    if (this.#delivery && LatencySampler.chooses(this.#numbers, this.#at, ticks))
      this.#delivery.sent(frame, from, now, due, held);
  }

  addConflated(ticks: number): void {
    this.#conflated += ticks;
  }

  /** A subscription's turn has come so late; because of the client where it had been held back. */
  noteLateness(late: number, interval: number, isHeldBack: boolean, now: number): void {
    const reason: QualityReason = isHeldBack ? "client" : "server";
    this.#sendQuality(this.#quality.noteLateness(late, interval, reason, now));
  }

  /** The client has answered a ping. */
  pong(payload: ArrayBuffer): void {
    if (this.#closed || payload.byteLength !== 4) return;
    const now = this.#parts.clock.millis();
    const number = new DataView(payload).getUint32(0);
    const roundTrip = this.#window.pong(number, now);
    if (roundTrip < 0) return;
    this.#delivery?.arrived(number, this.#window.lastWay);
    this.#parts.counts.roundTrip.observe(roundTrip * 1_000);
    this.resume();
  }

  /** The socket has given bytes to the kernel that it had kept. */
  drained(): void {
    if (this.#closed) return;
    this.#blocked = this.#socket.getBufferedAmount() > 0;
    this.resume();
  }

  /** There may be room again: whoever waited gets a turn. */
  resume(): void {
    if (this.#waiting.size === 0) return;
    const now = this.#parts.clock.millis();
    if (this.room(now) === 0) return this.#ensurePing(now);
    for (const subscription of this.#waiting) this.#parts.scheduler.scheduleNow(subscription);
    this.#waiting.clear();
  }

  /**
   * What time brings: heartbeats, and the end of a connection that does not answer.
   * @param granted the shortest interval that was granted, ms
   * @returns whether a ping is due
   */
  maintain(now: number, granted: number): boolean {
    const { heartbeat } = this.#parts.settings;
    const since = this.#window.unansweredSince;
    if (since !== undefined && now - since > heartbeat * UNANSWERED_HEARTBEATS) {
      this.#closeSession("tooSlow", "no answer to pings");
      return false;
    }
    const silent = now - this.#window.lastSent >= heartbeat;
    // In a full window a heartbeat would only queue behind what it is to prove.
    if (silent && this.#window.room(now) > 0) this.send({ op: "heartbeat", time: this.#parts.clock.micros() });
    // One that waits has no turns that could be late: its waiting is.
    for (const subscription of this.#waiting) {
      if (subscription.closed) this.#waiting.delete(subscription);
      else this.noteLateness(now - subscription.due, subscription.interval, true, now);
    }
    this.#sendQuality(this.#quality.check(now, granted));
    this.resume();
    return silent ? this.#window.unansweredSince === undefined : this.isPingDue(now);
  }

  /** Asks the client to say that all before this has arrived. */
  ping(now: number): void {
    if (this.#closed || !this.#window.canPing) return;
    const number = this.#window.ping(now);
    pingPayload.setUint32(0, number);
    this.#delivery?.pinged(number);
    this.#parts.counts.pingsOut++;
    if (this.#socket.ping(pingBytes) === BACKPRESSURE) this.#blocked = true;
  }

  /** Nothing leaves from now on. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting.clear();
    this.#numbers.give(this.#at);
    if (this.#counted) this.#parts.counts.conflating[this.#counted]--;
  }

  #write(message: Uint8Array | string): void {
    if (this.#socket.send(message, this.format.binary, false) === BACKPRESSURE) this.#blocked = true;
  }

  /** Tells the client how it does, if there is anything to tell, and counts it among those that do so. */
  #sendQuality(quality: Quality | undefined): void {
    if (!quality) return;
    if (this.#counted) this.#parts.counts.conflating[this.#counted]--;
    this.#counted = this.conflating;
    if (this.#counted) this.#parts.counts.conflating[this.#counted]++;
    // That the node itself is late is told once, not for each client.
    if (quality.state === "conflating" && quality.reason === "client") this.#logSlow(quality);
    this.send(quality);
  }

  #logSlow({ interval }: Quality): void {
    const { address, agent } = this.#socket.getUserData();
    const { inFlight, roundTrip, lastTrip } = this.#window;
    const flow = { interval, inFlight, roundTrip: Math.round(lastTrip), bare: Math.round(roundTrip) };
    this.#parts.events.write("info", { session: this.#id, address, agent, ...flow }, "a client reads slowly");
  }

  /** Bytes are on their way: unless a ping is as well, nobody would say when they have arrived. */
  #ensurePing(now: number): void {
    if (this.#window.unansweredSince === undefined) this.ping(now);
  }
}
