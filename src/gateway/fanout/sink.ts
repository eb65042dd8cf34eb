/**
 * The ports through which subscriptions send to one client. They know flow control and frames, and neither
 * subscriptions nor connections: whatever implements them decides how much may be sent.
 */
import type { RowTable } from "../../market/gateway_table.ts";
import type { Status } from "../../protocol/messages.ts";
import type { Flushable } from "./flush_scheduler.ts";
import type { Frame } from "./frame.ts";

/** A flush that found no room. */
export interface Waiter extends Flushable {
  /** When the flush was due, ms. */
  readonly due: number;
  /** How often it is wanted at most, ms. */
  readonly interval: number;
}

/** Sends the frames of flushes. */
export interface Sink {
  /** Bytes that a data frame may have now; 0 when nothing may be sent. */
  room(now: number): number;
  /** Schedules a flush as soon as there is room. */
  waitForRoom(waiter: Waiter): void;
  /** Sends the frame. */
  sendFrame(frame: Frame, now: number): void;
  /** Sends a control message. */
  send(message: Status): void;
  /**
   * Chooses one of the frame's rows, from the given one on, to measure its latency.
   * @param table has the rows
   * @param due since when the flush was due, ms
   * @param held how long of that there was no room, ms
   */
  sampleFrame(table: RowTable, frame: Frame, from: number, now: number, due: number, held: number): void;
  /** Counts updates that newer ones replaced before they were sent. */
  addConflated(updates: number): void;
  /** Notes how late a flush was, ms. @param isHeldBack whether that was because there was no room */
  noteLateness(late: number, interval: number, isHeldBack: boolean, now: number): void;
}

/** Receives the broadcast for one client. */
export interface BroadcastSink {
  /** Whether a subscription may subscribe to topics. */
  canBroadcast(now: number): boolean;
  /** Bytes that may be broadcast to the client until its window is full; 0 where it must not get the broadcast. */
  broadcastBudget(now: number): number;
  /** Subscribes the socket to a topic. */
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
  /** Counts what was broadcast to the client. @param leftOut updates that the feed or the bus left out before */
  account(bytes: number, updates: number, leftOut: number, now: number): void;
  /** As {@link Sink.addConflated}. */
  addConflated(updates: number): void;
  /** Whether a ping must follow what was broadcast, or what will have been at the next audit. */
  isPingDue(now: number): boolean;
  /** Sends a ping: its pong says that all before it has arrived. */
  ping(now: number): void;
  /**
   * Measures one broadcast update in the name of several.
   * @param waited how long it took from the market table to the frame, microseconds
   */
  sampleBroadcast(table: RowTable, row: number, updates: number, waited: number): void;
}
