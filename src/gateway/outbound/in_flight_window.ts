/**
 * The in-flight window of one connection: how many bytes may be sent that have not arrived. The kernel accepts
 * megabytes from a server before a slow reader shows, and every byte in it is an old price by the time it is read; so a
 * WebSocket ping follows the frames, and its pong says that all before it has arrived.
 *
 * The window aims at a round trip that is `delay` longer than the bare one: then the connection is never idle, and what
 * queues on it is no older than that. A ping that took longer makes the window smaller in proportion, one that took
 * less makes it larger if the window had limited the sending (as LEDBAT does,
 * https://datatracker.ietf.org/doc/html/rfc6817). Only pings count that were sent since the last change: the others
 * measured another window. A rate measured over time would be wrong: it would count times in which nothing was sent as
 * if the reader had been slow.
 */

import { Numbers } from "../fanout/numbers.ts";

/** Pings that may be unanswered at once: one a quarter of the window, and some for windows that shrank. */
const MAX_PINGS = 8;
/** A connection that is not held back has at least this window: a screen of prices in one frame. */
const IDLE_WINDOW = 32_768;
/** The window of a new connection: a reader of 10 KB/s has it in 2.5 s, and nothing that it reads is older than 3 s. */
const FIRST_WINDOW = 24_576;
/** The part of a window that is sent before a ping follows, while nothing is held back. */
const IDLE_STRIDE = 5 / 8;
/** The smallest part of a window that counts as room: with less, frames would get tiny. */
const SMALLEST_ROOM = 1 / 4;
/** A frame costs as much as a thousand bytes: below this a part is not made smaller. */
const SMALL_FRAME = 2_048;
/** So many bytes in flight do not disturb the measurement of the bare round trip. */
const CLEAN_BYTES = 512;
/**
 * When round trips are too long even with the smallest window, nothing is sent until all has arrived, this often, ms:
 * the bare round trip may have become longer, which only a ping without other bytes in flight can measure.
 */
const DRY_TIME = 5_000;
/** The window grows at most twofold in so many ms: a reader that reads in bursts is fast for a moment only. */
const GROWTH_TIME = 100;
/** A ping follows at least this often, ms, while frames are sent: how soon a stopped reader is noticed. */
const PING_TIME = 2_000;

/** The part of the earlier measurements of the pace that is kept with each pong. */
const PACE_KEPT = 0.8;

/** The selection of a window's numbers; first those that each frame needs. */
const SIZE = 0;
const SENT = 1;
const ARRIVED = 2;
const BYTES_AT_PING = 3;
/** When the oldest unanswered ping was sent. */
const OLDEST_PING = 4;
const LAST_PING = 5;
const ROUND_TRIP = 6;
/** When a ping was last sent with almost nothing in flight, ms. */
const CLEAN_AT = 7;
const LAST_SENT = 8;
/** The round trip of the last answered ping, the part of it to the client, and when the pong came, ms. */
const LAST_TRIP = 9;
const LAST_WAY = 10;
const LAST_PONG = 11;
/** Bytes that the client has taken, and in how many ms, while there was always more to take; older ones count less. */
const BUSY_BYTES = 12;
const BUSY_TIME = 13;
/** When the window last changed, ms. */
const CHANGED_AT = 14;
/** Unanswered pings, oldest at `#first`: what had been sent before each, and when it was sent. */
const PING_BYTES = 15;
const PING_SENT = PING_BYTES + MAX_PINGS;
/** What was in flight when it was sent, bytes. */
const PING_LOAD = PING_SENT + MAX_PINGS;

/** How many numbers a window has. */
export const WINDOW_NUMBERS = PING_LOAD + MAX_PINGS;

export class InFlightWindow {
  readonly #min: number;
  readonly #max: number;
  readonly #delay: number;
  readonly #numbers: Numbers;
  readonly #at: number;
  #first = 0;
  #pings = 0;
  #nextPing = 0;
  #isHeldBack = false;

  /**
   * @param min the window of the slowest reader, bytes
   * @param max the window of the fastest, bytes
   * @param delay how long bytes may queue on the way, ms
   * @param numbers has its {@link WINDOW_NUMBERS} numbers
   * @param at the position of the first
   */
  constructor(
    min: number,
    max: number,
    delay: number,
    now: number,
    numbers = new Numbers(WINDOW_NUMBERS),
    at = numbers.take(),
  ) {
    this.#min = min;
    this.#max = max;
    this.#delay = delay;
    this.#numbers = numbers;
    this.#at = at;
    this.#set(SIZE, FIRST_WINDOW);
    this.#set(LAST_PING, Number.NEGATIVE_INFINITY);
    this.#set(ROUND_TRIP, Number.POSITIVE_INFINITY);
    this.#set(LAST_PONG, Number.NEGATIVE_INFINITY);
    this.#set(CHANGED_AT, now);
    this.#set(CLEAN_AT, now);
    this.#set(LAST_SENT, now);
  }

  /** The window, bytes. */
  get size(): number {
    return this.#get(SIZE);
  }

  /** Bytes sent whose arrival has not been confirmed. */
  get inFlight(): number {
    return this.#get(SENT) - this.#get(ARRIVED);
  }

  /** When anything was last sent, ms. */
  get lastSent(): number {
    return this.#get(LAST_SENT);
  }

  /** The bare round trip, ms; infinite before the first pong. */
  get roundTrip(): number {
    return this.#get(ROUND_TRIP);
  }

  /** The round trip of the last answered ping, ms; 0 before the first. */
  get lastTrip(): number {
    return this.#get(LAST_TRIP);
  }

  /**
   * An estimate of the part of that round trip to the client, ms. Time beyond the bare round trip may have been lost in
   * either direction: half of it counts. But what queues, queues towards the client: all of it counts where the trip is
   * as much longer as the window allows, or where the window had to become small.
   */
  get lastWay(): number {
    return this.#get(LAST_WAY);
  }

  /** How fast the client takes what is sent, while there is always more to take: bytes a second, 0 where unknown. */
  get pace(): number {
    const time = this.#get(BUSY_TIME);
    return time > 0 ? (this.#get(BUSY_BYTES) / time) * 1_000 : 0;
  }

  /** Since when the oldest unanswered ping is out, ms; undefined when all are answered. */
  get unansweredSince(): number | undefined {
    return this.#pings === 0 ? undefined : this.#get(OLDEST_PING);
  }

  /**
   * How many bytes may be sent now: 0 when the window is nearly full or a ping has been out for too long. It is a part
   * of the window at once, so that its pong arrives while other parts are in flight and the connection is never idle,
   * and not less than a quarter, so that frames do not get tiny.
   */
  room(now: number): number {
    if (this.#pings > 0 && now - this.#get(OLDEST_PING) > this.#patience()) return 0;
    const { inFlight, size } = this;
    if (inFlight > 0 && size === this.#min && now - this.#get(CLEAN_AT) > DRY_TIME) return 0;
    const room = size - inFlight;
    return room < size * SMALLEST_ROOM ? 0 : Math.min(room, Math.max(Math.ceil(size / this.#parts()), SMALL_FRAME));
  }

  /** Bytes that may be sent until there is no {@link room}, unless a ping has been out for too long before. */
  get untilFull(): number {
    return this.size * (1 - SMALLEST_ROOM) - this.inFlight;
  }

  /** Bytes have been given to the socket. */
  addSent(bytes: number, now: number): void {
    this.#set(SENT, this.#get(SENT) + bytes);
    this.#set(LAST_SENT, now);
  }

  /** A flush found no room. */
  noteHeldBack(): void {
    this.#isHeldBack = true;
  }

  /** Whether a ping should follow what has been sent. @param ahead bytes that will be sent before it is asked again */
  isPingDue(now: number, ahead = 0): boolean {
    const unpinged = this.#unpinged();
    if (this.#pings === MAX_PINGS || unpinged === 0) return false;
    if (this.#stride() - unpinged <= ahead) return true;
    return this.#pings === 0 && now - this.#get(LAST_PING) >= PING_TIME;
  }

  /**
   * A ping is being sent; there must be room for one more ({@link canPing}).
   * @returns its number, which the pong must carry
   */
  ping(now: number): number {
    const slot = (this.#first + this.#pings) % MAX_PINGS;
    if (this.#pings++ === 0) this.#set(OLDEST_PING, now);
    this.#set(PING_BYTES + slot, this.#get(SENT));
    this.#set(PING_SENT + slot, now);
    this.#set(PING_LOAD + slot, this.inFlight);
    if (this.#isClean(slot)) this.#set(CLEAN_AT, now);
    this.#set(BYTES_AT_PING, this.#get(SENT));
    this.#set(LAST_PING, now);
    const number = this.#nextPing;
    this.#nextPing = (number + 1) >>> 0;
    return number;
  }

  /** Whether one more ping may be sent. */
  get canPing(): boolean {
    return this.#pings < MAX_PINGS;
  }

  /**
   * A pong has arrived. It answers all pings before it too: a client may answer only the latest
   * (https://datatracker.ietf.org/doc/html/rfc6455#section-5.5.3).
   * @param number the number of the ping
   * @returns the round trip, ms, or -1 when no such ping was out
   */
  pong(number: number, now: number): number {
    const oldest = (this.#nextPing - this.#pings) >>> 0;
    const position = (number - oldest) >>> 0;
    if (position >= this.#pings) return -1;
    const slot = (this.#first + position) % MAX_PINGS;
    this.#first = (slot + 1) % MAX_PINGS;
    this.#pings -= position + 1;
    this.#set(OLDEST_PING, this.#get(PING_SENT + this.#first));
    this.#measurePace(slot, now);
    this.#set(ARRIVED, this.#get(PING_BYTES + slot));
    const roundTrip = now - this.#get(PING_SENT + slot);
    this.#set(LAST_TRIP, roundTrip);
    const known = this.roundTrip;
    const bare = Math.min(known, roundTrip);
    const excess = roundTrip - bare;
    const queued = this.size < FIRST_WINDOW ? 1 : Math.min(1, excess / this.#delay);
    this.#set(LAST_WAY, bare / 2 + (excess * (1 + queued)) / 2);
    if (roundTrip < known) this.#set(ROUND_TRIP, roundTrip);
    else if (this.#isClean(slot)) this.#set(ROUND_TRIP, known + (roundTrip - known) / 4);
    this.#adapt(slot, roundTrip, now);
    return roundTrip;
  }

  #get(number: number): number {
    return this.#numbers.f64[this.#at + number];
  }

  #set(number: number, value: number): void {
    this.#numbers.f64[this.#at + number] = value;
  }

  /** How long a ping may be out before nothing more is sent, ms. */
  #patience(): number {
    return this.roundTrip + 2 * this.#delay;
  }

  /** Bytes sent since the last ping. */
  #unpinged(): number {
    return this.#get(SENT) - this.#get(BYTES_AT_PING);
  }

  /**
   * How many bytes after one ping the next one follows. While nothing waits for a pong, pings are few: one costs as
   * much as half a frame.
   */
  #stride(): number {
    return this.#isHeldBack || this.size < IDLE_WINDOW ? this.size / this.#parts() : this.size * IDLE_STRIDE;
  }

  /** In how many parts the window is sent, a ping behind each: one costs as much as a frame. */
  #parts(): number {
    return this.size < IDLE_WINDOW ? 4 : 2;
  }

  /** Whether a ping was sent with almost nothing in flight: the first part of the smallest window does not count. */
  #isClean(slot: number): boolean {
    return this.#get(PING_LOAD + slot) <= Math.max(CLEAN_BYTES, Math.min(SMALL_FRAME, this.#min / 2));
  }

  /** Where a ping was sent before the last pong arrived, the client had something to read between the two pongs. */
  #measurePace(slot: number, now: number): void {
    const last = this.#get(LAST_PONG);
    if (this.#get(PING_SENT + slot) < last) {
      // Two sums rather than a mean of rates: bytes that arrive in a burst would have an infinite rate.
      const bytes = this.#get(PING_BYTES + slot) - this.#get(ARRIVED);
      this.#set(BUSY_BYTES, this.#get(BUSY_BYTES) * PACE_KEPT + bytes);
      this.#set(BUSY_TIME, this.#get(BUSY_TIME) * PACE_KEPT + now - last);
    }
    this.#set(LAST_PONG, now);
  }

  /** Adapts the window to a ping's round trip. */
  #adapt(slot: number, roundTrip: number, now: number): void {
    if (this.#get(PING_SENT + slot) < this.#get(CHANGED_AT)) return;
    const { size } = this;
    const load = this.#get(PING_LOAD + slot);
    const wanted = (size * (this.roundTrip + this.#delay)) / Math.max(roundTrip, 1);
    if (wanted < size) this.#set(SIZE, Math.max(this.#min, wanted));
    else if (now - this.#get(CHANGED_AT) < GROWTH_TIME) return;
    else if (this.#isHeldBack) {
      // With little in flight every trip is short: that says nothing about a larger window.
      if (load * 4 < size) return;
      this.#set(SIZE, Math.min(this.#max, wanted, size * 2));
    } else if (size < IDLE_WINDOW) this.#set(SIZE, Math.min(IDLE_WINDOW, size * 1.25));
    else if (load * 2 < size) this.#set(SIZE, Math.max(IDLE_WINDOW, size * 0.95));
    this.#isHeldBack = false;
    this.#set(CHANGED_AT, now);
  }
}
