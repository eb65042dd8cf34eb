/**
 * The arrival window of one connection: how many bytes may be on their way to it. The kernel takes megabytes from a
 * server before a slow reader shows, and every byte in it is an old price by the time it is read; so a WebSocket ping
 * follows the frames, and its pong says that all before it has arrived.
 *
 * The window is what the reader takes in during one round trip and `delay` more. Its rate is measured from pongs
 * while it was the window that held us back (as BBR does, https://datatracker.ietf.org/doc/draft-ietf-ccwg-bbr/):
 * when we simply had nothing to say, what arrived says nothing about what could have.
 */

/** Pings that may be unanswered at once: one a quarter of the window, and some for windows that shrank. */
const MAX_PINGS = 8;
/** A connection that is not held back has at least this window: a screen of prices in one go. */
const IDLE_WINDOW = 32_768;
/** Bytes on their way that do not disturb the measuring of the bare round trip. */
const CLEAN_BYTES = 512;
/** The shortest time over which a rate is measured, ms: shorter ones measure how sockets are scheduled. */
const RATE_TIME = 100;
/** A ping follows at least this often, ms, while frames are sent: how soon a reader that stopped is found out. */
const PING_TIME = 1_000;

export class ArrivalWindow {
  readonly #min: number;
  readonly #max: number;
  readonly #delay: number;
  #size = IDLE_WINDOW;
  #sent = 0;
  #arrived = 0;
  /** Unanswered pings, oldest at `#first`: what had been sent before each, and when it was sent. */
  readonly #pingBytes = new Float64Array(MAX_PINGS);
  readonly #pingTime = new Float64Array(MAX_PINGS);
  readonly #pingClean = new Uint8Array(MAX_PINGS);
  #first = 0;
  #pings = 0;
  #nextPing = 0;
  #bytesAtPing = 0;
  #lastPing = Number.NEGATIVE_INFINITY;
  #roundTrip = Number.POSITIVE_INFINITY;
  #heldBack = false;
  /** Where the measuring of the rate began. */
  #markBytes = 0;
  #markTime: number;

  /**
   * @param min the window of the slowest reader, bytes
   * @param max the window of the fastest, bytes
   * @param delay how long bytes may queue on their way, ms
   */
  constructor(min: number, max: number, delay: number, now: number) {
    this.#min = min;
    this.#max = max;
    this.#delay = delay;
    this.#markTime = now;
  }

  /** The window, bytes. */
  get size(): number {
    return this.#size;
  }

  /** Bytes sent that have not been confirmed to have arrived. */
  get inFlight(): number {
    return this.#sent - this.#arrived;
  }

  /** The bare round trip, ms; infinite before the first pong. */
  get roundTrip(): number {
    return this.#roundTrip;
  }

  /** Since when the oldest unanswered ping is out, ms; undefined when all are answered. */
  get unansweredSince(): number | undefined {
    return this.#pings === 0 ? undefined : this.#pingTime[this.#first];
  }

  /**
   * How many bytes may be sent now: 0 when the window is nearly full (a quarter is kept together, so that frames do
   * not get tiny) or a ping has been out for too long.
   */
  room(now: number): number {
    if (this.#pings > 0 && now - this.#pingTime[this.#first] > this.#patience()) return 0;
    const room = this.#size - this.inFlight;
    return room * 4 < this.#size ? 0 : room;
  }

  /** Bytes have been given to the socket. */
  sent(bytes: number): void {
    this.#sent += bytes;
  }

  /** Somebody would have sent and had no room. */
  holdBack(): void {
    this.#heldBack = true;
  }

  /** Whether a ping should follow what has been sent. */
  pingDue(now: number): boolean {
    if (this.#pings === MAX_PINGS) return false;
    const bytes = this.#sent - this.#bytesAtPing;
    // A ping costs as much as a frame: who reads fast enough gets half as many.
    const parts = this.#size < IDLE_WINDOW ? 4 : 2;
    return bytes * parts >= this.#size || (bytes > 0 && this.#pings === 0 && now - this.#lastPing >= PING_TIME);
  }

  /**
   * A ping is being sent; there must be room for one more ({@link canPing}).
   * @returns its number, which the pong must carry
   */
  ping(now: number): number {
    const slot = (this.#first + this.#pings++) % MAX_PINGS;
    this.#pingBytes[slot] = this.#sent;
    this.#pingTime[slot] = now;
    this.#pingClean[slot] = this.inFlight <= CLEAN_BYTES ? 1 : 0;
    this.#bytesAtPing = this.#sent;
    this.#lastPing = now;
    const number = this.#nextPing;
    this.#nextPing = (number + 1) >>> 0;
    return number;
  }

  /** Whether one more ping may be sent. */
  get canPing(): boolean {
    return this.#pings < MAX_PINGS;
  }

  /**
   * A pong has come. It stands for all pings before it too: a client may answer only the latest
   * (https://datatracker.ietf.org/doc/html/rfc6455#section-5.5.3).
   * @param number what the ping was numbered
   * @returns the round trip, ms, or -1 when no such ping was out
   */
  pong(number: number, now: number): number {
    const oldest = (this.#nextPing - this.#pings) >>> 0;
    const position = (number - oldest) >>> 0;
    if (position >= this.#pings) return -1;
    const slot = (this.#first + position) % MAX_PINGS;
    this.#first = (slot + 1) % MAX_PINGS;
    this.#pings -= position + 1;
    this.#arrived = this.#pingBytes[slot];
    const roundTrip = now - this.#pingTime[slot];
    if (roundTrip < this.#roundTrip) this.#roundTrip = roundTrip;
    else if (this.#pingClean[slot] === 1) this.#roundTrip += (roundTrip - this.#roundTrip) / 4;
    this.#measure(now, roundTrip);
    return roundTrip;
  }

  /** How long a ping may be out before nothing more is sent, ms. */
  #patience(): number {
    return this.#roundTrip === Number.POSITIVE_INFINITY ? Number.POSITIVE_INFINITY : this.#roundTrip + 2 * this.#delay;
  }

  #measure(now: number, roundTrip: number): void {
    const elapsed = now - this.#markTime;
    if (elapsed < Math.max(RATE_TIME, Math.min(roundTrip, 4 * this.#delay))) return;
    const rate = (this.#arrived - this.#markBytes) / elapsed;
    const wanted = Math.min(this.#max, rate * (this.#roundTrip + this.#delay));
    const late = roundTrip > this.#patience();
    if (this.#heldBack || late) this.#size = Math.max(this.#min, wanted);
    else if (wanted > this.#size) this.#size = wanted;
    else if (this.#size < IDLE_WINDOW) this.#size = Math.min(IDLE_WINDOW, this.#size * 1.25);
    else this.#size = Math.max(IDLE_WINDOW, wanted, this.#size * 0.8);
    this.#heldBack = false;
    this.#markBytes = this.#arrived;
    this.#markTime = now;
  }
}
