/** What the followers of a gateway's shards share. */
import type { Clock } from "../../../base/clock.ts";
import type { ClockReading } from "../../../base/clock_offset.ts";
import type { HeardFeed } from "../../../market/heard_feed.ts";
import type { BusListener } from "../../bus.ts";
import type { MalformedReason } from "../../wire/malformed.ts";
import type { BatchDecoder } from "../../wire/wire.ts";
import type { ReaderCounts } from "./reader_counts.ts";

/** Something that was left out, as it is logged. */
export interface LeftOut {
  /** Whose it says that it is; empty where that cannot be read. */
  readonly feed: string;
  readonly shard: number;
  readonly reason: MalformedReason;
  /** The symbol, or what is in its place; empty where there is none. */
  readonly symbol: string;
  readonly from: "batch" | "store";
  /** What exactly is wrong, where there is more to say. */
  readonly detail?: string;
}

/** What the shards of one gateway share. */
export interface FollowerOptions {
  readonly shards: number;
  readonly decoder: BatchDecoder;
  /** The listener; without one nothing is reported. */
  listener: BusListener | undefined;
  readonly clock: Clock;
  readonly counts: ReaderCounts;
  /** How long a stream may say nothing before it counts as silent, in milliseconds. */
  readonly silence: number;
  /** The number of a feed's stream on a shard, the same each time it is asked for. */
  streamOf(feed: string, shard: number): number;
  /** The feed of a name, the same for all shards. */
  feedOf(feed: string): HeardFeed;
  /** The offset of our own clock. */
  readonly offset: ClockReading;
  /** A publisher speaks whose epoch is earlier than that of one which was heard and is silent: nobody hears it. */
  outranked(feed: string, epoch: number, known: number): void;
  /** Something was left out since it is not as docs/bus.md says; it is counted already. */
  leftOut(what: LeftOut): void;
  /** Nothing is left of a feed on a shard: it is silent, and the store has no value of it. */
  forgotten(feed: string, shard: number): void;
}
