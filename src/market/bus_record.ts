/** The state of one symbol in the form in which the bus carries it. */
import { FIELD_COUNT, LIVE } from "../base/tick.ts";
import { type HeardFeed, NO_FEED } from "./heard_feed.ts";

/** A transport fills one record again and again, so a receiver copies what it keeps. */
export class BusRecord {
  symbol = "";
  /**
   * The row that the listener returned for an earlier record of this symbol: to search by name costs more than the rest
   * of applying a record. -1 where not known. The row may belong to another symbol by now.
   */
  row = -1;
  /** The epoch of the publisher: a record with a larger one wins, whatever its `seq`. */
  epoch = 0;
  /** The number of the tick: the publisher counts the ticks of a symbol by one. */
  seq = 0;
  /** When it happened according to the source, microseconds since the Unix epoch. */
  eventTime = 0;
  /** When the feed adapter received the tick, microseconds by the publisher's clock; NaN where not known. */
  receivedAt = Number.NaN;
  /** When its batch was made, by the same clock; NaN for a record that was read from the last-value store. */
  sentAt = Number.NaN;
  /** `LIVE`, `STALE` or `CLOSED`, as its feed adapter reports it. */
  state: number = LIVE;
  /** When the state began, microseconds since the Unix epoch. */
  since = 0;
  /** The reason for the state; may be empty. */
  reason = "";
  /** Holds `FIELD_COUNT` values from `offset` on, in the order of `FIELDS`; NaN where not known. */
  values: Float64Array = new Float64Array(FIELD_COUNT);
  offset = 0;
  /** The stream that carried it: when it is silent, the symbol is stale. The transport numbers streams from 0. */
  stream = 0;
  /** The feed that published it. */
  feed: HeardFeed = NO_FEED;
  /** Whether it was read from the last-value store after batches were missed. */
  healed = false;
}
