/**
 * Measures how old ticks are when they arrive at one client, and how long each stage took. A ping follows what is sent,
 * and its pong says when it has arrived; so of the ticks that are sent from one measured ping to the next, one is
 * chosen at random and counted with the weight of all of them. All stages of one observation are of one tick: they add
 * up to its age.
 */
import type { RowTable } from "../../market/gateway_table.ts";
import type { LatencyCounts } from "../counts.ts";
import type { Frame } from "../fanout/frame.ts";
import { Numbers } from "../fanout/numbers.ts";

/** The numbers of a chosen tick: its weight, and its stages up to the writing, in the order of `STAGES`. */
const WEIGHT = 0;
const FIRST_STAGE = 1;
const SOURCE = FIRST_STAGE;
const FEED = SOURCE + 1;
const BUS = FEED + 1;
const INTERVAL = BUS + 1;
const SERVER = INTERVAL + 1;
const CLIENT = SERVER + 1;
const LENGTH = CLIENT + 1;
/** The positions of the numbers: two chosen ticks, one that waits for its ping and one whose ping is out. */
const KEPT = 0;
/** Ticks sent since the last ping that was measured. */
const SENT = KEPT + LENGTH * 2;
/** The next of them, counted from 1, that replaces the chosen one. */
const NEXT = SENT + 1;
/** How many numbers a sampler has; last those that each frame needs. */
export const SAMPLER_NUMBERS = NEXT + 1;
/** More ticks than are ever sent between two pings. */
const FAR = 1_000_000_000;

export class LatencySampler {
  readonly #latency: LatencyCounts;
  readonly #numbers: Numbers;
  readonly #at: number;
  /** The position of the chosen tick that waits for its ping; the ping of the other one is out. */
  #chosen = 0;
  /** The number of the ping that is out for the second; -1 when none is. */
  #ping = -1;
  /** The age of the last chosen tick at its arrival, microseconds; NaN before the first. */
  age = Number.NaN;

  /**
   * @param numbers has its {@link SAMPLER_NUMBERS} numbers
   * @param at the position of the first
   */
  constructor(latency: LatencyCounts, numbers = new Numbers(SAMPLER_NUMBERS), at = numbers.take()) {
    this.#latency = latency;
    this.#numbers = numbers;
    this.#at = at;
    numbers.f64[at + NEXT] = 1;
  }

  /**
   * A frame is being sent: counts its ticks, unless one of them is to be chosen. For most frames this is all: an
   * addition and a comparison of numbers that are in the cache, so it does not read the sampler.
   * @returns whether the sampler must be called, with {@link sent}
   */
  static isSampleDue({ f64 }: Numbers, at: number, ticks: number): boolean {
    const sent = f64[at + SENT] + ticks;
    if (sent >= f64[at + NEXT]) return true;
    f64[at + SENT] = sent;
    return false;
  }

  /**
   * A frame is being sent, one of whose ticks is chosen.
   *
   * Each tick since the last ping must have the same chance, and their number is not known in advance: the n-th
   * replaces the chosen one with a chance of 1/n. So none of the n-th to the m-th does with a chance of n/m, from which
   * follows which will be the next (reservoir sampling, Vitter 1985). Where one of a frame does, the last one that does
   * is any of the frame's with the same chance.
   * @param from its first tick that is no snapshot: snapshots may be hours old
   * @param now when, ms of the clock; the time in the frame
   * @param due since when its flush was due, ms; for ticks that came later it was due when they came
   * @param held how long a full window has held it back since, ms
   */
  sampleFrame(table: RowTable, frame: Frame, from: number, now: number, due: number, held: number): void {
    const ticks = frame.count - from;
    const row = frame.rowAt(from + Math.floor(Math.random() * ticks));
    const waited = Math.max(0, frame.sentAt - table.appliedAt[row]);
    // The flush was not late for a tick before that tick came.
    const late = Math.min(waited, (now - due) * 1_000);
    this.#keep(table, row, ticks, waited, late, Math.min(late, held * 1_000));
  }

  /**
   * So many ticks have been broadcast; the last one of this row is chosen.
   * @param waited how long it took from the market table to the frame, microseconds
   */
  sampleBroadcast(table: RowTable, row: number, ticks: number, waited: number): void {
    this.#keep(table, row, ticks, waited, 0, 0);
  }

  /**
   * @param ticks how many have been sent, this one among them
   * @param late how long of that its flush was late, microseconds
   * @param client how long of that the client had no room, microseconds
   */
  #keep(table: RowTable, row: number, ticks: number, waited: number, late: number, client: number): void {
    const { f64 } = this.#numbers;
    const bus = table.busTime[row];
    // The time on the bus is not known: another tick will be chosen.
    if (Number.isNaN(bus)) return;
    const sent = f64[this.#at + SENT] + ticks;
    f64[this.#at + SENT] = sent;
    f64[this.#at + NEXT] = Math.min(FAR, Math.floor(sent / (1 - Math.random())) + 1);
    const at = this.#at + KEPT + this.#chosen;
    f64[at + SOURCE] = table.sourceTime[row];
    f64[at + FEED] = table.feedTime[row];
    f64[at + BUS] = bus;
    f64[at + INTERVAL] = waited - late;
    f64[at + SERVER] = late - client;
    f64[at + CLIENT] = client;
  }

  /** A ping follows what has been sent. */
  notePing(number: number): void {
    const { f64 } = this.#numbers;
    const sent = f64[this.#at + SENT];
    if (this.#ping >= 0 || sent === 0) return;
    f64[this.#at + KEPT + this.#chosen + WEIGHT] = sent;
    this.#chosen = LENGTH - this.#chosen;
    f64[this.#at + SENT] = 0;
    f64[this.#at + NEXT] = 1;
    this.#ping = number;
  }

  /**
   * A ping was answered, and with it all before it.
   * @param way how long the way to the client took, ms
   */
  notePong(number: number, way: number): void {
    // Numbers begin again after 2^32.
    if (this.#ping < 0 || (number - this.#ping) >>> 0 > 0x7fffffff) return;
    this.#ping = -1;
    const { f64 } = this.#numbers;
    const from = this.#at + KEPT + LENGTH - this.#chosen;
    const { stages, age } = this.#latency;
    const weight = f64[from + WEIGHT];
    const network = way * 1_000;
    let total = network;
    for (let stage = 0; stage < LENGTH - FIRST_STAGE; stage++) {
      const time = f64[from + FIRST_STAGE + stage];
      stages[stage].observe(time, weight);
      total += time;
    }
    stages[LENGTH - FIRST_STAGE].observe(network, weight);
    age.observe(total, weight);
    this.age = total;
    this.#latency.confirmed += weight;
  }
}
