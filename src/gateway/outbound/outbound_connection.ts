/**
 * Sends to one client: has the socket, and the window that limits what may be in flight on it. All control messages and
 * frames leave through here.
 */
import { pack } from "msgpackr";
import type { Clock } from "../../base/clock.ts";
import type { RateLimitedLog } from "../../log/rate_limited_log.ts";
import { type FrameFormat, JSON_FRAME, MSGPACK_FRAME } from "../../market/frame_format.ts";
import type { RowTable } from "../../market/gateway_table.ts";
import type { CloseName } from "../../protocol/codes.ts";
import type { ChannelSubscribed, Control, Quality, QualityReason } from "../../protocol/messages.ts";
import type { Settings } from "../../settings/settings.ts";
import type { GatewayCounts } from "../counts.ts";
import type { FlushScheduler } from "../fanout/flush_scheduler.ts";
import type { Frame } from "../fanout/frame.ts";
import type { Numbers } from "../fanout/numbers.ts";
import type { BroadcastSink, Sink, Waiter } from "../fanout/sink.ts";
import { LatencySampler, SAMPLER_NUMBERS } from "../latency/latency_sampler.ts";
import type { FrameTrace } from "../latency/tracer.ts";
import { InFlightWindow, WINDOW_NUMBERS } from "./in_flight_window.ts";
import { QualityWatch } from "./quality.ts";
import type { Socket } from "./socket.ts";

/** The payload of a ping: its number. The socket copies it at once, so one buffer serves all. */
const pingPayload = new DataView(new ArrayBuffer(4));
const pingBytes = new Uint8Array(pingPayload.buffer);

/** What a socket's `send` returns when it has buffered what the kernel did not take. */
const BACKPRESSURE = 0;

/** How many numbers a connection has. */
export const CONNECTION_NUMBERS = SAMPLER_NUMBERS + WINDOW_NUMBERS;

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
  readonly scheduler: FlushScheduler;
  readonly numbers: { readonly connections: Numbers };
  readonly counts: GatewayCounts;
}

export class OutboundConnection implements Sink, BroadcastSink {
  readonly format: FrameFormat;
  readonly #id: string;
  readonly #parts: OutboundParts;
  readonly #socket: Socket;
  readonly #window: InFlightWindow;
  /** Where the numbers of the window and of the latency sampler are. */
  readonly #numbers: Numbers;
  readonly #at: number;
  /** Undefined where latencies are not measured. */
  readonly #sampler: LatencySampler | undefined;
  readonly #quality = new QualityWatch();
  /** The reason under which it is counted as conflating. */
  #countedReason: QualityReason | undefined;
  /** Flushes that found no room. */
  readonly #waiting = new Set<Waiter>();
  readonly #closeSession: (name: CloseName, reason: string) => void;
  /** Whether the socket had bytes that the kernel did not take, when it was last checked. */
  #isBlocked = false;
  /** Whether no data may be sent: what the client may see is being determined. */
  #isSuspended = false;
  /** Gets each frame while the session is traced. */
  #trace: FrameTrace | undefined;
  #ticks = 0;
  #conflated = 0;
  /** Whether one of its subscriptions gets the broadcast; and the bytes that it got between the last two audits. */
  #hasTopics = false;
  #lastBroadcastBytes = 0;
  #isClosed = false;

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
    const { settings, clock, counts } = parts;
    const now = clock.millis();
    this.#id = id;
    this.format = socket.getUserData().subprotocol === "tickgate.v1.json" ? JSON_FRAME : MSGPACK_FRAME;
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
    this.#window = new InFlightWindow(windowMin, windowMax, windowDelay, now, numbers, at + SAMPLER_NUMBERS);
    this.#sampler = metrics ? new LatencySampler(counts.latency, numbers, at) : undefined;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether the socket has bytes that the kernel has not taken: more would only be buffered. */
  get isBlocked(): boolean {
    if (!this.#isBlocked && !this.#isClosed && this.#socket.getBufferedAmount() > 0) this.#isBlocked = true;
    return this.#isBlocked;
  }

  /** What is in flight to the client, and how long that takes. */
  get window(): Readonly<InFlightWindow> {
    return this.#window;
  }

  /** Why the client gets less than granted, as the last `quality` message said; undefined while it gets all. */
  get conflating(): QualityReason | undefined {
    return this.#quality.conflating;
  }

  /** Ticks sent, without snapshots. */
  get ticks(): number {
    return this.#ticks;
  }

  /** Ticks that newer ones replaced before they were sent. */
  get conflated(): number {
    return this.#conflated;
  }

  /** The age of the last sampled tick at its arrival, ms; NaN before the first. */
  get age(): number {
    return (this.#sampler?.age ?? Number.NaN) / 1_000;
  }

  /** How long the flush that has waited longest for room has waited, ms. */
  held(now: number): number {
    let held = 0;
    for (const { due, isClosed: closed } of this.#waiting) if (!closed) held = Math.max(held, now - due);
    return held;
  }

  /**
   * How much later than granted the client gets its prices, ms: the time they wait here for room and then queue on the
   * way; or, where that is more, the time that an unanswered ping has been out.
   */
  behind(now: number): number {
    const { lastTrip, roundTrip, unansweredSince = now } = this.#window;
    const bare = Number.isFinite(roundTrip) ? roundTrip : 0;
    return Math.max(0, this.held(now) + Math.max(0, lastTrip - bare), now - unansweredSince - bare);
  }

  /** How slow the client was, for the log: how far it was behind, ms, and how many bytes it had not taken. */
  slowness(now: number): { behind: number; inFlight: number } {
    return { behind: Math.round(this.behind(now)), inFlight: this.#window.inFlight };
  }

  /**
   * Sends a control message. These are few and answer something: the window does not hold them back, `maxUnreadBytes`
   * limits them.
   */
  send(message: Control | ChannelSubscribed): void {
    if (this.#isClosed) return;
    const bytes = this.format.binary ? pack(message) : JSON.stringify(message);
    const length = typeof bytes === "string" ? Buffer.byteLength(bytes) : bytes.length;
    this.#window.addSent(length, this.#parts.clock.millis());
    this.#parts.counts.controlOut++;
    this.#parts.counts.bytesOut += length;
    this.#write(bytes);
    if (this.#window.inFlight > this.#parts.settings.maxUnreadBytes)
      this.#closeSession("tooSlow", "too many bytes unread");
  }

  /** Sends the frame, and a ping behind it where one is due. */
  sendFrame(frame: Frame, now: number): void {
    if (this.#isClosed) return;
    const bytes = frame.finish();
    this.#window.addSent(bytes.length, now);
    this.#parts.counts.framesOut++;
    this.#parts.counts.bytesOut += bytes.length;
    if (!this.#window.isPingDue(now)) {
      this.#write(bytes);
      return;
    }
    this.#socket.cork(() => {
      this.#write(bytes);
      this.ping(now);
    });
    // A corked write happens after `send` has returned.
    if (this.#socket.getBufferedAmount() > 0) this.#isBlocked = true;
  }

  room(now: number): number {
    // A socket with backpressure would buffer all that it is given.
    return this.#isBlocked || this.#isSuspended ? 0 : this.#window.room(now);
  }

  /** Sends no data until {@link release}. */
  suspend(): void {
    this.#isSuspended = true;
  }

  release(): void {
    this.#isSuspended = false;
    this.resume();
  }

  /** One subscription of a connection may get the broadcast, while nothing is held back. */
  canBroadcast(now: number): boolean {
    return (
      !this.#hasTopics && !this.#trace && this.#waiting.size === 0 && !this.conflating && this.broadcastBudget(now) > 0
    );
  }

  broadcastBudget(now: number): number {
    // A broadcast does not return whether the socket had to buffer the frame.
    if (this.#socket.getBufferedAmount() > 0) this.#isBlocked = true;
    return this.room(now) > 0 ? this.#window.untilFull : 0;
  }

  subscribe(topic: string): void {
    this.#hasTopics = true;
    this.#socket.subscribe(topic);
  }

  unsubscribe(topic: string): void {
    this.#hasTopics = false;
    this.#lastBroadcastBytes = 0;
    if (!this.#isClosed) this.#socket.unsubscribe(topic);
  }

  account(bytes: number, ticks: number, leftOut: number, now: number): void {
    if (this.#isClosed) return;
    this.#window.addSent(bytes, now);
    this.#lastBroadcastBytes = bytes;
    this.#ticks += ticks;
    this.#conflated += leftOut;
  }

  sampleBroadcast(table: RowTable, row: number, ticks: number, waited: number): void {
    if (this.#sampler && LatencySampler.isSampleDue(this.#numbers, this.#at, ticks))
      this.#sampler.sampleBroadcast(table, row, ticks, waited);
  }

  isPingDue(now: number): boolean {
    return this.#window.isPingDue(now, this.#lastBroadcastBytes);
  }

  waitForRoom(waiter: Waiter): void {
    this.#parts.counts.heldBack++;
    this.#window.noteHeldBack();
    this.#waiting.add(waiter);
    this.#ensurePing(this.#parts.clock.millis());
  }

  /** @param follow gets each frame from now on; undefined ends that */
  trace(follow: FrameTrace | undefined): void {
    this.#trace = follow;
  }

  sampleFrame(table: RowTable, frame: Frame, from: number, now: number, due: number, held: number): void {
    const ticks = frame.count - from;
    this.#ticks += ticks;
    this.#trace?.(table, frame, from, now, due, held);
    if (this.#sampler && LatencySampler.isSampleDue(this.#numbers, this.#at, ticks))
      this.#sampler.sampleFrame(table, frame, from, now, due, held);
  }

  addConflated(ticks: number): void {
    this.#conflated += ticks;
  }

  noteLateness(late: number, interval: number, isHeldBack: boolean, now: number): void {
    const reason: QualityReason = isHeldBack ? "client" : "server";
    this.#sendQuality(this.#quality.noteLateness(late, interval, reason, now));
  }

  /** The client has answered a ping. */
  handlePong(payload: ArrayBuffer): void {
    if (this.#isClosed || payload.byteLength !== 4) return;
    const now = this.#parts.clock.millis();
    const number = new DataView(payload).getUint32(0);
    const roundTrip = this.#window.pong(number, now);
    if (roundTrip < 0) return;
    this.#sampler?.notePong(number, this.#window.lastWay);
    this.#parts.counts.roundTrip.observe(roundTrip * 1_000);
    this.resume();
  }

  /** The kernel has taken bytes that the socket had buffered. */
  handleDrain(): void {
    if (this.#isClosed) return;
    this.#isBlocked = this.#socket.getBufferedAmount() > 0;
    this.resume();
  }

  /** There may be room again: schedules the flushes that wait for it. */
  resume(): void {
    if (this.#waiting.size === 0) return;
    const now = this.#parts.clock.millis();
    if (this.room(now) === 0) return this.#ensurePing(now);
    for (const subscription of this.#waiting) this.#parts.scheduler.scheduleNow(subscription);
    this.#waiting.clear();
  }

  /**
   * Sends heartbeats, closes a connection that does not answer, and updates the quality; to be called every 250 ms.
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
    // In a full window a heartbeat would only queue behind the bytes whose arrival it is to prove.
    if (silent && this.#window.room(now) > 0) this.send({ op: "heartbeat", time: this.#parts.clock.micros() });
    // A subscription that waits is not flushed: how long it waits is its lateness.
    for (const subscription of this.#waiting) {
      if (subscription.isClosed) this.#waiting.delete(subscription);
      else this.noteLateness(now - subscription.due, subscription.interval, true, now);
    }
    this.#sendQuality(this.#quality.check(now, granted));
    this.resume();
    return silent ? this.#window.unansweredSince === undefined : this.isPingDue(now);
  }

  ping(now: number): void {
    if (this.#isClosed || !this.#window.canPing) return;
    const number = this.#window.ping(now);
    pingPayload.setUint32(0, number);
    this.#sampler?.notePing(number);
    this.#parts.counts.pingsOut++;
    if (this.#socket.ping(pingBytes) === BACKPRESSURE) this.#isBlocked = true;
  }

  /** Sends nothing from now on. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#waiting.clear();
    this.#numbers.give(this.#at);
    if (this.#countedReason) this.#parts.counts.conflating[this.#countedReason]--;
  }

  #write(message: Uint8Array | string): void {
    if (this.#socket.send(message, this.format.binary, false) === BACKPRESSURE) this.#isBlocked = true;
  }

  /** Sends a change of quality, if there is one, and counts the connection under its reason. */
  #sendQuality(quality: Quality | undefined): void {
    if (!quality) return;
    if (this.#countedReason) this.#parts.counts.conflating[this.#countedReason]--;
    this.#countedReason = this.conflating;
    if (this.#countedReason) this.#parts.counts.conflating[this.#countedReason]++;
    // That the node itself is late is logged once, not for each client.
    if (quality.state === "conflating" && quality.reason === "client") this.#logSlow(quality);
    this.send(quality);
  }

  #logSlow({ interval }: Quality): void {
    const { address, agent } = this.#socket.getUserData();
    const { inFlight, roundTrip, lastTrip } = this.#window;
    const flow = { interval, inFlight, roundTrip: Math.round(lastTrip), bare: Math.round(roundTrip) };
    this.#parts.events.write("info", { session: this.#id, address, agent, ...flow }, "a client reads slowly");
  }

  /** Bytes are in flight: without a ping behind them their arrival would not be known. */
  #ensurePing(now: number): void {
    if (this.#window.unansweredSince === undefined) this.ping(now);
  }
}
