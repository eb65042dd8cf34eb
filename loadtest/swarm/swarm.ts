/** The swarm's connections of one process: opened at a rate, read each in its way, counted, compared, closed. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { SystemClock } from "../../src/base/clock.ts";
import { Connection, type ConnectionContext } from "./connection.ts";
import { readerOf, type Share } from "./plan.ts";
import type { Protocol } from "./protocol.ts";
import { Selection } from "./selection.ts";
import { type SwarmResult, Tally } from "./tally.ts";

/** How often slow connections get the bytes that they may read, and stalled ones are looked at, ms. */
const MAINTAIN_PERIOD = 20;
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
const VALUE_CHECKS = 64;

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
  readonly #context: ConnectionContext;
  readonly #loopDelay = monitorEventLoopDelay({ resolution: TIMER });
  readonly #connections = new Set<Connection>();
  readonly #slow = new Set<Connection>();
  readonly #stalled = new Set<Connection>();
  /** Those that have been started, in this order; those before the hand are open, or will not be. */
  readonly #started: { connection: Connection; at: number }[] = [];
  #oldestOpening = 0;
  #opening = 0;
  #incomplete = 0;
  #isStalling = true;
  #nextStallChange = Number.POSITIVE_INFINITY;
  #maintainTimer: NodeJS.Timeout | undefined;
  #lastMaintain = 0;
  #churnDue = 0;
  #churnCursor: Iterator<Connection> | undefined;
  #since = { millis: 0, cpu: process.cpuUsage() };
  /** The `seq` of every slot when they were last compared. */
  #compared: Float64Array | undefined;

  constructor(share: Share, protocol: Protocol) {
    const { plan } = share;
    const clock = new SystemClock();
    this.#share = share;
    this.#seqs = new Float64Array(share.connections * plan.perConnection);
    this.#context = {
      plan,
      protocol,
      tally: this.#tally,
      seqs: this.#seqs,
      ownDelay: 0,
      micros: () => clock.micros() + plan.clockOffset,
      openingEnded: () => void this.#opening--,
      snapshotsComplete: () => void this.#incomplete--,
      ended: (connection) => this.#ended(connection),
    };
  }

  /** Opens the connections. Resolves when each is open or refused, and has its snapshots or has waited long for them. */
  async open(): Promise<void> {
    const { plan, connections } = this.#share;
    const rate = (plan.rate * connections) / plan.connections;
    const start = performance.now();
    this.#lastMaintain = start;
    this.#maintainTimer = setInterval(() => this.#maintain(), MAINTAIN_PERIOD);
    for (let local = 0; local < connections; ) {
      const due = Math.min(connections, Math.ceil(((performance.now() - start) * rate) / 1_000));
      for (; local < due && this.#opening < MAX_OPENING; local++) this.#start(local);
      await sleep(MAINTAIN_PERIOD / 2);
    }
    await this.#waitUntil(() => this.#opening === 0, 2 * OPEN_TIME);
    await this.#waitUntil(() => this.#incomplete === 0, SNAPSHOT_TIME);
    for (const connection of this.#stalled) connection.stall();
  }

  /** From now on what comes is counted. */
  startCounting(): void {
    const { stallSeconds } = this.#share.plan;
    if (stallSeconds > 0) this.#nextStallChange = performance.now() + stallSeconds * 1_000;
    this.#tally.begin();
    this.#loopDelay.enable();
    this.#loopDelay.reset();
    this.#since = { millis: performance.now(), cpu: process.cpuUsage() };
  }

  /** What was counted, up to now. */
  result(): SwarmResult {
    const { user, system } = process.cpuUsage(this.#since.cpu);
    let open = 0;
    for (const connection of this.#connections) if (connection.isOpen) open++;
    return this.#tally.result({
      seconds: (performance.now() - this.#since.millis) / 1_000,
      cpuSeconds: (user + system) / 1_000_000,
      loopLate: Math.max(0, this.#loopDelay.percentile(99) / 1e6 - TIMER),
      memory: process.memoryUsage.rss(),
      open,
    });
  }

  /** Nobody is slow any more, nobody stalls, nobody changes what it asked for: everyone is to arrive at what holds now. */
  settle(): void {
    this.#tally.isCounting = false;
    this.#churnCursor = undefined;
    this.#nextStallChange = Number.POSITIVE_INFINITY;
    for (const connection of [...this.#slow, ...this.#stalled]) connection.readFreely();
    this.#slow.clear();
    let remembering = 0;
    for (const connection of this.#connections) if (remembering++ < VALUE_CHECKS) connection.keepValues();
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
    clearInterval(this.#maintainTimer);
    for (const connection of [...this.#connections]) connection.close();
    await this.#waitUntil(() => this.#connections.size === 0, CLOSE_TIME);
    for (const connection of [...this.#connections]) connection.destroy();
  }

  #start(local: number): void {
    const { plan, first } = this.#share;
    const index = first + local;
    const selection = new Selection(plan.market, index, plan.perConnection);
    this.#opening++;
    if (plan.perConnection > 0) this.#incomplete++;
    const connection = new Connection(this.#context, local, index, readerOf(plan, index), selection);
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

  #maintain(): void {
    const now = performance.now();
    const { slowBytes, stallSeconds, churn, connections: all } = this.#share.plan;
    const passed = now - this.#lastMaintain;
    this.#lastMaintain = now;
    this.#context.ownDelay = Math.max(this.#context.ownDelay, (passed - MAINTAIN_PERIOD) * 1_000);
    this.#dropUnanswered(now);
    for (const connection of this.#slow) connection.grantBytes((passed * slowBytes) / 1_000);
    if (now >= this.#nextStallChange) {
      this.#nextStallChange = now + stallSeconds * 1_000;
      this.#isStalling = !this.#isStalling;
      for (const connection of this.#stalled)
        if (this.#isStalling) connection.stall();
        else connection.resume();
    }
    if (this.#tally.isCounting) this.#churn((passed * churn * this.#share.connections) / all / 1_000);
  }

  /** Gives up those that have not been answered for too long. */
  #dropUnanswered(now: number): void {
    for (; this.#oldestOpening < this.#started.length; this.#oldestOpening++) {
      const { connection, at } = this.#started[this.#oldestOpening];
      if (connection.isOpen || !this.#connections.has(connection)) continue;
      if (now - at < OPEN_TIME) return;
      this.#tally.refused.add(`not open after ${OPEN_TIME / 1_000} s`);
      connection.destroy();
    }
  }

  #churn(commands: number): void {
    this.#churnDue += commands;
    for (; this.#churnDue >= 1; this.#churnDue--) {
      this.#churnCursor ??= this.#connections.values();
      const { value, done } = this.#churnCursor.next();
      if (done) this.#churnCursor = undefined;
      else if (value.isOpen && value.reader === "healthy") value.resubscribe();
    }
  }

  #compare(seqs: Float64Array, isWrong: (seq: number, symbol: number) => boolean): Comparison {
    let count = 0;
    const examples: string[] = [];
    for (const connection of this.#connections) {
      if (!connection.isOpen) continue;
      const { selection, localIndex: local } = connection;
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

  async #waitUntil(isSo: () => boolean, patience: number): Promise<void> {
    const deadline = performance.now() + patience;
    while (!isSo() && performance.now() < deadline) await sleep(MAINTAIN_PERIOD);
  }
}
