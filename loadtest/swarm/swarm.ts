/** The swarm's connections of one process: opened at a rate, read each in its way, counted, compared, closed. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { SystemClock } from "../../src/base/clock.ts";
import { Connection, type Surroundings } from "./connection.ts";
import { readerOf, type Share } from "./plan.ts";
import type { Protocol } from "./protocol.ts";
import { Selection } from "./selection.ts";
import { type SwarmResult, Tally } from "./tally.ts";

/** How often slow connections get the bytes that they may read, and stalled ones are looked at, ms. */
const ROUND = 20;
/** How long each connection may take to open, ms, and how long the last ones may take to get their snapshots. */
export const OPEN_TIME = 30_000;
const SNAPSHOT_TIME = 5_000;
/** How long the other side may take to close, ms. */
const CLOSE_TIME = 3_000;
/** Connections that have been started and have not answered: a server that is slow to accept is not flooded. */
export const MAX_OPENING = 1_000;
/** The period of the timer whose lateness is measured, ms. */
const TIMER = 10;
const MAX_EXAMPLES = 3;
/** Connections whose values are compared: of each a frame or two are kept. */
const REMEMBERING = 64;

/** How many slots are not where they should be, and where the first ones are. */
export interface Comparison {
  readonly count: number;
  readonly examples: readonly string[];
}

/** How many values were compared, and how many were others than they should be. */
export interface ValueComparison extends Comparison {
  readonly compared: number;
}

export class Swarm {
  readonly #share: Share;
  readonly #tally = new Tally();
  readonly #seqs: Float64Array;
  readonly #around: Surroundings;
  readonly #timer = monitorEventLoopDelay({ resolution: TIMER });
  readonly #connections = new Set<Connection>();
  readonly #slow = new Set<Connection>();
  readonly #stalled = new Set<Connection>();
  /** Those that have been started, in this order; those before the hand are open, or will not be. */
  readonly #started: { connection: Connection; at: number }[] = [];
  #hand = 0;
  #opening = 0;
  #incomplete = 0;
  #isStalling = true;
  #stallTurn = Number.POSITIVE_INFINITY;
  #rounds: NodeJS.Timeout | undefined;
  #lastRound = 0;
  #churnOwed = 0;
  #churnHand: Iterator<Connection> | undefined;
  #since = { millis: 0, cpu: process.cpuUsage() };
  /** The `seq` of every slot when they were last compared. */
  #compared: Float64Array | undefined;

  constructor(share: Share, protocol: Protocol) {
    const { plan } = share;
    const clock = new SystemClock();
    this.#share = share;
    this.#seqs = new Float64Array(share.connections * plan.perConnection);
    this.#around = {
      plan,
      protocol,
      tally: this.#tally,
      seqs: this.#seqs,
      heldUp: 0,
      micros: () => clock.micros() + plan.clockOffset,
      settled: () => void this.#opening--,
      complete: () => void this.#incomplete--,
      ended: (connection) => this.#ended(connection),
    };
  }

  /** Opens the connections. Resolves when each is open or refused, and has its snapshots or has waited long for them. */
  async open(): Promise<void> {
    const { plan, connections } = this.#share;
    const rate = (plan.rate * connections) / plan.connections;
    const start = performance.now();
    this.#lastRound = start;
    this.#rounds = setInterval(() => this.#round(), ROUND);
    for (let local = 0; local < connections; ) {
      const due = Math.min(connections, Math.ceil(((performance.now() - start) * rate) / 1_000));
      for (; local < due && this.#opening < MAX_OPENING; local++) this.#start(local);
      await sleep(ROUND / 2);
    }
    await this.#until(() => this.#opening === 0, 2 * OPEN_TIME);
    await this.#until(() => this.#incomplete === 0, SNAPSHOT_TIME);
    for (const connection of this.#stalled) connection.stall();
  }

  /** From now on what comes is counted. */
  count(): void {
    const { stallSeconds } = this.#share.plan;
    if (stallSeconds > 0) this.#stallTurn = performance.now() + stallSeconds * 1_000;
    this.#tally.begin();
    this.#timer.enable();
    this.#timer.reset();
    this.#since = { millis: performance.now(), cpu: process.cpuUsage() };
  }

  /** What was counted, up to now. */
  tell(): SwarmResult {
    const { user, system } = process.cpuUsage(this.#since.cpu);
    let open = 0;
    for (const connection of this.#connections) if (connection.isOpen) open++;
    return this.#tally.result({
      seconds: (performance.now() - this.#since.millis) / 1_000,
      cpuSeconds: (user + system) / 1_000_000,
      loopLate: Math.max(0, this.#timer.percentile(99) / 1e6 - TIMER),
      memory: process.memoryUsage.rss(),
      open,
    });
  }

  /** Nobody is slow any more, nobody stalls, nobody changes what it asked for: everyone is to arrive at what holds now. */
  settle(): void {
    this.#tally.counting = false;
    this.#churnHand = undefined;
    this.#stallTurn = Number.POSITIVE_INFINITY;
    for (const connection of [...this.#slow, ...this.#stalled]) connection.hurry();
    this.#slow.clear();
    let remembering = 0;
    for (const connection of this.#connections) if (remembering++ < REMEMBERING) connection.remember();
  }

  /**
   * Open connections whose `seq` of a symbol is below what it should be at least.
   * @param least by the symbols' places in the market; 0 where there has been no tick
   */
  behind(least: Float64Array): Comparison {
    this.#compared = this.#seqs.slice();
    return this.#compare(this.#compared, (seq, symbol) => seq < least[symbol]);
  }

  /** Those whose `seq`, when {@link behind} was last asked for, was above what it can have been. */
  ahead(most: Float64Array): Comparison {
    return this.#compare(this.#compared ?? this.#seqs, (seq, symbol) => most[symbol] > 0 && seq > most[symbol]);
  }

  /**
   * Compares the values of last ticks, of some connections, with what they should be where `seq` is the same.
   * @param seqs by the symbols' places in the market @param values of each, one behind the other, NaN for none
   */
  values(seqs: Float64Array, values: Float64Array): ValueComparison {
    const fields = values.length / seqs.length;
    let [compared, count] = [0, 0];
    const examples: string[] = [];
    for (const connection of this.#connections) {
      const { selection } = connection;
      for (let slot = 0; slot < selection.count; slot++) {
        const symbol = selection.symbolAt(slot);
        const got = connection.seqOf(slot) === seqs[symbol] ? connection.valuesOf(slot) : undefined;
        if (got === undefined) continue;
        compared++;
        const wanted = values.subarray(symbol * fields, (symbol + 1) * fields);
        if (got.length === fields && got.every((value, field) => Object.is(value ?? Number.NaN, wanted[field])))
          continue;
        count++;
        if (examples.length < MAX_EXAMPLES)
          examples.push(
            `${selection.nameAt(slot)} at seq ${seqs[symbol]}: ${got.join(" ")} instead of ${wanted.join(" ")}`,
          );
      }
    }
    return { compared, count, examples };
  }

  async close(): Promise<void> {
    clearInterval(this.#rounds);
    for (const connection of [...this.#connections]) connection.close();
    await this.#until(() => this.#connections.size === 0, CLOSE_TIME);
    for (const connection of [...this.#connections]) connection.destroy();
  }

  #start(local: number): void {
    const { plan, first } = this.#share;
    const index = first + local;
    const selection = new Selection(plan.market, index, plan.perConnection);
    this.#opening++;
    if (plan.perConnection > 0) this.#incomplete++;
    const connection = new Connection(this.#around, local, index, readerOf(plan, index), selection);
    this.#connections.add(connection);
    this.#started.push({ connection, at: performance.now() });
    if (connection.reader === "slow") this.#slow.add(connection);
    else if (connection.reader === "stalled") this.#stalled.add(connection);
  }

  #ended(connection: Connection): void {
    this.#connections.delete(connection);
    this.#slow.delete(connection);
    this.#stalled.delete(connection);
    if (connection.missing > 0) this.#incomplete--;
  }

  #round(): void {
    const now = performance.now();
    const { slowBytes, stallSeconds, churn, connections: all } = this.#share.plan;
    const passed = now - this.#lastRound;
    this.#lastRound = now;
    this.#around.heldUp = Math.max(this.#around.heldUp, (passed - ROUND) * 1_000);
    this.#giveUp(now);
    for (const connection of this.#slow) connection.allow((passed * slowBytes) / 1_000);
    if (now >= this.#stallTurn) {
      this.#stallTurn = now + stallSeconds * 1_000;
      this.#isStalling = !this.#isStalling;
      for (const connection of this.#stalled)
        if (this.#isStalling) connection.stall();
        else connection.resume();
    }
    if (this.#tally.counting) this.#churn((passed * churn * this.#share.connections) / all / 1_000);
  }

  /** Gives up those that have not been answered for too long. */
  #giveUp(now: number): void {
    for (; this.#hand < this.#started.length; this.#hand++) {
      const { connection, at } = this.#started[this.#hand];
      if (connection.isOpen || !this.#connections.has(connection)) continue;
      if (now - at < OPEN_TIME) return;
      this.#tally.refused.add(`not open after ${OPEN_TIME / 1_000} s`);
      connection.destroy();
    }
  }

  #churn(commands: number): void {
    this.#churnOwed += commands;
    for (; this.#churnOwed >= 1; this.#churnOwed--) {
      this.#churnHand ??= this.#connections.values();
      const { value, done } = this.#churnHand.next();
      if (done) this.#churnHand = undefined;
      else if (value.isOpen && value.reader === "healthy") value.churn();
    }
  }

  #compare(seqs: Float64Array, isWrong: (seq: number, symbol: number) => boolean): Comparison {
    let count = 0;
    const examples: string[] = [];
    for (const connection of this.#connections) {
      if (!connection.isOpen) continue;
      const { selection, local } = connection;
      for (let slot = 0; slot < selection.count; slot++) {
        const seq = seqs[local * selection.count + slot];
        if (!isWrong(seq, selection.symbolAt(slot))) continue;
        count++;
        if (examples.length < MAX_EXAMPLES)
          examples.push(`connection ${local}, ${connection.reader}: ${selection.nameAt(slot)} at seq ${seq}`);
      }
    }
    return { count, examples };
  }

  async #until(isSo: () => boolean, patience: number): Promise<void> {
    const deadline = performance.now() + patience;
    while (!isSo() && performance.now() < deadline) await sleep(ROUND);
  }
}
