/**
 * How old ticks are when they arrive at one client, and where their time went. A ping follows what is sent, and its pong
 * says when it has arrived; so of the ticks that are sent from one measured ping to the next, one is chosen at random and
 * stands for all of them. All stages of one observation are of one tick: they add up to its age.
 */
import type { GatewayTable } from "../../market/gateway_table.ts";
import type { LatencyCounts } from "../counts.ts";
import type { Frame } from "../fanout/frame.ts";
import { Numbers } from "../fanout/numbers.ts";

/** What is kept of a tick: how many it stands for, and its stages up to the writing, in the order of `STAGES`. */
const WEIGHT = 0;
const FIRST_STAGE = 1;
const SOURCE = FIRST_STAGE;
const FEED = SOURCE + 1;
const BUS = FEED + 1;
const INTERVAL = BUS + 1;
const SERVER = INTERVAL + 1;
const CLIENT = SERVER + 1;
const LENGTH = CLIENT + 1;
/** Where its numbers are: two ticks that are kept, one that waits for its ping and one whose ping is out. */
const KEPT = 0;
/** Ticks sent since the last ping that was measured. */
const SENT = KEPT + LENGTH * 2;
/** The next of them, counted from 1, that takes the place of the one that has been chosen. */
const NEXT = SENT + 1;
/** How many numbers a watch has; last those that each frame needs. */
export const DELIVERY_NUMBERS = NEXT + 1;
/** More ticks than are ever sent between two pings. */
const FAR = 1_000_000_000;

export class LatencySampler {
  readonly #table: GatewayTable;
  readonly #latency: LatencyCounts;
  readonly #numbers: Numbers;
  readonly #at: number;
  /** Which of the two that are kept waits for its ping; the other one's is out. */
  #chosen = 0;
  /** The number of the ping that is out for the second; -1 when none is. */
  #ping = -1;
  /** How old the last tick was that has been followed, when it arrived, microseconds; NaN before the first. */
  age = Number.NaN;

  /**
   * @param numbers where its numbers are to be, of {@link DELIVERY_NUMBERS}
   * @param at where they begin
   */
  constructor(
    table: GatewayTable,
    latency: LatencyCounts,
    numbers = new Numbers(DELIVERY_NUMBERS),
    at = numbers.take(),
  ) {
    this.#table = table;
    this.#latency = latency;
    this.#numbers = numbers;
    this.#at = at;
    numbers.f64[at + NEXT] = 1;
  }

  /**
   * A frame is being sent: counts its ticks, unless one of them is to be chosen. For most frames this is all, an addition
   * and a comparison of numbers that are at hand, so it does not even look at the watch.
   * @returns whether the watch must be told, with {@link sent}
   */
  static chooses({ f64 }: Numbers, at: number, ticks: number): boolean {
    const sent = f64[at + SENT] + ticks;
    if (sent >= f64[at + NEXT]) return true;
    f64[at + SENT] = sent;
    return false;
  }

  /**
   * A frame is being sent, one of whose ticks is chosen.
   *
   * Each of all the ticks since the last ping is to have the same chance, and how many there will be is not known: the
   * n-th takes the place of the chosen one with a chance of 1/n. So no further one does from the n-th to the m-th with a
   * chance of n/m, from which follows which will be the next (reservoir sampling, Vitter 1985); and where one of a frame
   * does, the last that does is any of the frame's with the same chance.
   * @param from its first tick that is no snapshot: those are as old as they are
   * @param now when, ms of the clock; the time that the frame tells
   * @param due since when its turn was due, ms; for ticks that came later it was due when they came
   * @param held how long it has been held back by a full window since, ms
   */
  sent(frame: Frame, from: number, now: number, due: number, held: number): void {
    const ticks = frame.count - from;
    const table = this.#table;
    const row = frame.rowAt(from + Math.floor(Math.random() * ticks));
    const waited = Math.max(0, frame.sentAt - table.appliedAt[row]);
    // What was due before the tick came was not due for it.
    const late = Math.min(waited, (now - due) * 1_000);
    this.#keep(row, ticks, waited, late, Math.min(late, held * 1_000));
  }

  /**
   * So many ticks have been broadcast, of which one is chosen, of this row.
   * @param waited how long it took from the market table to the frame, microseconds
   */
  broadcast(row: number, ticks: number, waited: number): void {
    this.#keep(row, ticks, waited, 0, 0);
  }

  /**
   * @param ticks so many have been sent, and it is one of them
   * @param late how long of that its turn was late, microseconds
   * @param client how long of that the client had no room, microseconds
   */
  #keep(row: number, ticks: number, waited: number, late: number, client: number): void {
    const { f64 } = this.#numbers;
    const table = this.#table;
    const bus = table.busTime[row];
    // It says nothing of how long anything takes, and will not stand for the others.
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
  pinged(number: number): void {
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
   * @param way how long it took to get there, ms
   */
  arrived(number: number, way: number): void {
    // Numbers count to 2^32 and begin again.
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
