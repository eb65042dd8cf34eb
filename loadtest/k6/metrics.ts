/** The metrics of the load test. Times are in milliseconds. */
import { Counter, Trend } from "k6/metrics";

/** From the source's event time to the arrival. Without snapshots, which may be of any age. */
export const tickAge = new Trend("tick_age", true);
/** From the start of the connection to the upgrade, and to the last symbol's snapshot. */
export const connectTime = new Trend("connect_time", true);
export const snapshotTime = new Trend("snapshot_time", true);
const frames = new Counter("frames");
const ticks = new Counter("ticks");
/** Ticks that were read and checked: the sample. */
const readTicks = new Counter("read_ticks");
/** In the sample: ticks after another one of their symbol, and the number left out in between. */
const followingTicks = new Counter("following_ticks");
const conflatedTicks = new Counter("conflated_ticks");
/** In the sample: trades, books, and bars. All trades that the gateway says it will not send. */
const trades = new Counter("trades");
const missedTrades = new Counter("missed_trades");
const books = new Counter("books");
const bars = new Counter("bars");
/** From the arrival of a message to its handler: k6's own delay. The longest per second and virtual user. */
const ownDelay = new Trend("own_delay", true);
export const connected = new Counter("connected");
export const refused = new Counter("refused");
/** Connections that ended without all snapshots, too soon or with too much delay of k6 to blame the gateway. */
export const unfinished = new Counter("unfinished");
export const broken = new Counter("broken_promises");
/** The gateway's process, if its metrics page is given. */
export const gatewayMemory = new Trend("gateway_memory");
export const gatewayCores = new Trend("gateway_cores");
/** Growth of its memory above the allowed growth, bytes. */
export const memoryOver = new Trend("memory_over");

/** Counts of a virtual user since the last `flush`: adding a measurement costs k6 more than reading a frame. */
export class Counts {
  frames = 0;
  ticks = 0;
  read = 0;
  following = 0;
  conflated = 0;
  trades = 0;
  missed = 0;
  books = 0;
  bars = 0;
  /** The longest delay since the last `flush`, and of all, ms. */
  #longest = 0;
  maxDelay = 0;

  /** Counts a delay of k6, ms. */
  observeDelay(delay: number): void {
    if (delay > this.#longest) this.#longest = delay;
    if (delay > this.maxDelay) this.maxDelay = delay;
  }

  flush(): void {
    if (this.frames === 0) return;
    frames.add(this.frames);
    ticks.add(this.ticks);
    readTicks.add(this.read);
    followingTicks.add(this.following);
    conflatedTicks.add(this.conflated);
    trades.add(this.trades);
    missedTrades.add(this.missed);
    books.add(this.books);
    bars.add(this.bars);
    ownDelay.add(this.#longest);
    this.trades = this.missed = this.books = this.bars = 0;
    this.frames = this.ticks = this.read = this.following = this.conflated = this.#longest = 0;
  }
}
