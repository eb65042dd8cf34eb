/** What the load test counts. Times are in milliseconds. */
import { Counter, Trend } from "k6/metrics";

/** From the source's event time to the receipt; snapshots do not count, since they are as old as they are. */
export const tickAge = new Trend("tick_age", true);
/** From the attempt to the upgrade; and to the last symbol's snapshot. */
export const connectTime = new Trend("connect_time", true);
export const snapshotTime = new Trend("snapshot_time", true);
const frames = new Counter("frames");
const ticks = new Counter("ticks");
/** Ticks that were read and checked: the sample. */
const readTicks = new Counter("read_ticks");
/** Of the sample: ticks that followed another of their symbol, and how many were left out in between. */
const followingTicks = new Counter("following_ticks");
const conflatedTicks = new Counter("conflated_ticks");
/** From the receipt of a message to the script's turn with it: how far behind k6 itself is. One a second of each user. */
const ownDelay = new Trend("own_delay", true);
export const connected = new Counter("connected");
export const refused = new Counter("refused");
/** Connections that ended before they had everything, too soon to say whose fault it was. */
export const unfinished = new Counter("unfinished");
export const broken = new Counter("broken_promises");
/** The gateway's process, where its metrics page is known. */
export const gatewayMemory = new Trend("gateway_memory");
export const gatewayCores = new Trend("gateway_cores");
/** Bytes that its memory has grown by, above what is let pass. */
export const memoryOver = new Trend("memory_over");

/** What a virtual user has counted since it last told k6: a measurement costs k6 more than reading a frame. */
export class Counts {
  frames = 0;
  ticks = 0;
  read = 0;
  following = 0;
  conflated = 0;
  /** The longest delay since it was told, and of all, ms. */
  #longest = 0;
  maxDelay = 0;

  /** k6 was behind by so much, ms. */
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
    ownDelay.add(this.#longest);
    this.frames = this.ticks = this.read = this.following = this.conflated = this.#longest = 0;
  }
}
