/**
 * How old ticks are when they arrive at one client, and where their time went. A ping follows what is sent, and its pong
 * says when it has arrived; so of the ticks that are sent from one measured ping to the next, one is chosen at random and
 * stands for all of them. All stages of one observation are of one tick: they add up to its age.
 */
import type { MarketTable } from "../market/table.ts";
import type { LatencyCounts } from "./counts.ts";
import type { Frame } from "./frame.ts";

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
/** More ticks than are ever sent between two pings. */
const FAR = 1_000_000_000;

export class DeliveryWatch {
  readonly #table: MarketTable;
  readonly #latency: LatencyCounts;
  /** Ticks sent since the last ping that was measured. */
  #sent = 0;
  /** The next of them, counted from 1, that takes the place of the one that has been chosen. */
  #next = 1;
  /** A tick that waits for its ping, and one whose ping is out. Small enough to live in the heap's own pages. */
  readonly #kept = new Float32Array(LENGTH * 2);
  /** Where the first of the two is. */
  #chosen = 0;
  /** The number of the ping that is out for the second; -1 when none is. */
  #ping = -1;
  /** How old the last tick was that has been followed, when it arrived, microseconds; NaN before the first. */
  age = Number.NaN;

  constructor(table: MarketTable, latency: LatencyCounts) {
    this.#table = table;
    this.#latency = latency;
  }

  /**
   * A frame is being sent. For most frames this is an addition and a comparison.
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
    const sent = this.#sent + ticks;
    if (sent < this.#next) {
      this.#sent = sent;
      return;
    }
    const table = this.#table;
    const row = frame.rowAt(from + Math.floor(Math.random() * ticks));
    const bus = table.busTime[row];
    // It says nothing of how long anything takes, and will not stand for the others.
    if (Number.isNaN(bus)) return;
    this.#sent = sent;
    this.#next = Math.min(FAR, Math.floor(sent / (1 - Math.random())) + 1);
    const waited = Math.max(0, frame.sentAt - table.appliedAt[row]);
    // What was due before the tick came was not due for it.
    const late = Math.min(waited, (now - due) * 1_000);
    const client = Math.min(late, held * 1_000);
    const kept = this.#kept;
    const at = this.#chosen;
    kept[at + SOURCE] = table.sourceTime[row];
    kept[at + FEED] = table.feedTime[row];
    kept[at + BUS] = bus;
    kept[at + INTERVAL] = waited - late;
    kept[at + SERVER] = late - client;
    kept[at + CLIENT] = client;
  }

  /** A ping follows what has been sent. */
  pinged(number: number): void {
    if (this.#ping >= 0 || this.#sent === 0) return;
    this.#kept[this.#chosen + WEIGHT] = this.#sent;
    this.#chosen = LENGTH - this.#chosen;
    this.#sent = 0;
    this.#next = 1;
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
    const kept = this.#kept;
    const from = LENGTH - this.#chosen;
    const { stages, age } = this.#latency;
    const weight = kept[from + WEIGHT];
    const network = way * 1_000;
    let total = network;
    for (let stage = 0; stage < LENGTH - FIRST_STAGE; stage++) {
      const time = kept[from + FIRST_STAGE + stage];
      stages[stage].observe(time, weight);
      total += time;
    }
    stages[LENGTH - FIRST_STAGE].observe(network, weight);
    age.observe(total, weight);
    this.age = total;
    this.#latency.confirmed += weight;
  }
}
