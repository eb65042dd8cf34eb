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

export class DeliveryWatch {
  readonly #table: MarketTable;
  readonly #latency: LatencyCounts;
  /** One tick that waits for its ping, and behind it one whose ping is out. Small enough to live in the heap's own pages. */
  readonly #kept = new Float32Array(LENGTH * 2);
  /** The number of the ping that is out for the second; -1 when none is. */
  #ping = -1;
  /** How old the last tick was that has been followed, when it arrived, microseconds; NaN before the first. */
  age = Number.NaN;

  constructor(table: MarketTable, latency: LatencyCounts) {
    this.#table = table;
    this.#latency = latency;
  }

  /**
   * A frame is being sent.
   * @param from its first tick that is no snapshot: those are as old as they are
   * @param now when, ms of the clock; the time that the frame tells
   * @param due since when its turn was due, ms; for ticks that came later it was due when they came
   * @param held how long it has been held back by a full window since, ms
   */
  sent(frame: Frame, from: number, now: number, due: number, held: number): void {
    const kept = this.#kept;
    const ticks = frame.count - from;
    const weight = kept[WEIGHT] + ticks;
    // Each of all the ticks since the last ping has the same chance; one draw says which.
    const draw = Math.floor(Math.random() * weight);
    if (draw >= ticks) {
      kept[WEIGHT] = weight;
      return;
    }
    const table = this.#table;
    const row = frame.rowAt(from + draw);
    if (Number.isNaN(table.busTime[row])) return;
    const waited = Math.max(0, frame.sentAt - table.appliedAt[row]);
    // What was due before the tick came was not due for it.
    const late = Math.min(waited, (now - due) * 1_000);
    const client = Math.min(late, held * 1_000);
    kept[WEIGHT] = weight;
    kept[SOURCE] = table.sourceTime[row];
    kept[FEED] = table.feedTime[row];
    kept[BUS] = table.busTime[row];
    kept[INTERVAL] = waited - late;
    kept[SERVER] = late - client;
    kept[CLIENT] = client;
  }

  /** A ping follows what has been sent. */
  pinged(number: number): void {
    const kept = this.#kept;
    if (this.#ping >= 0 || kept[WEIGHT] === 0) return;
    kept.copyWithin(LENGTH, 0, LENGTH);
    kept[WEIGHT] = 0;
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
    const { stages, age } = this.#latency;
    const weight = kept[LENGTH + WEIGHT];
    const network = way * 1_000;
    let total = network;
    for (let stage = 0; stage < LENGTH - FIRST_STAGE; stage++) {
      const time = kept[LENGTH + FIRST_STAGE + stage];
      stages[stage].observe(time, weight);
      total += time;
    }
    stages[LENGTH - FIRST_STAGE].observe(network, weight);
    age.observe(total, weight);
    this.age = total;
    this.#latency.confirmed += weight;
  }
}
