/** The swarm's connections of one process: opens them at a rate, reads, counts, compares and closes them. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { SystemClock } from "../../src/base/clock.ts";
import { Connection, type ConnectionContext } from "./connection.ts";
import { readerOf, type Share } from "./plan.ts";
import type { Protocol, StreamChannel } from "./protocol.ts";
import { Selection } from "./selection.ts";
import { type SwarmResult, Tally } from "./tally.ts";

/** The period of maintenance, ms: slow connections get their bytes, stalled ones start or stop reading. */
const MAINTAIN_PERIOD = 20;
/** How long a connection may take to open, and the last ones to get their snapshots, ms. */
export const OPEN_TIME = 30_000;
const SNAPSHOT_TIME = 5_000;
/** How long the server may take to close, ms. */
const CLOSE_TIME = 3_000;
/** The most connections that are opening at once: a slow server is not flooded. */
export const MAX_OPENING = 1_000;
/** The period of the timer whose lateness is measured, ms. */
const TIMER = 10;
const MAX_EXAMPLES = 3;
/** Connections whose values are compared; each keeps its last ticks. */
const VALUE_CHECKS = 64;

/** The number of wrong slots, and the first examples. */
export interface Comparison {
  readonly count: number;
  readonly examples: readonly string[];
}

/** The number of compared ticks, and of those with wrong values. */
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
  /** Connections in the order of their start; those before `#oldestOpening` are open or closed. */
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
  /** The `seq` of every slot at the last comparison. */
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

  /** Opens the connections. Resolves when each is open or refused, and has its snapshots or has timed out. */
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

  /** Starts counting. */
  startCounting(): void {
    const { stallSeconds } = this.#share.plan;
    if (stallSeconds > 0) this.#nextStallChange = performance.now() + stallSeconds * 1_000;
    this.#tally.begin();
    this.#loopDelay.enable();
    this.#loopDelay.reset();
    this.#since = { millis: performance.now(), cpu: process.cpuUsage() };
  }

  /** The counts so far. */
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

  /** Ends counting, slow reading, stalls and churn, so that all connections get the last ticks. */
  settle(): void {
    this.#tally.isCounting = false;
    this.#churnCursor = undefined;
    this.#nextStallChange = Number.POSITIVE_INFINITY;
    for (const connection of [...this.#slow, ...this.#stalled]) connection.readFreely();
    this.#slow.clear();
    let kept = 0;
    for (const connection of this.#connections) if (kept++ < VALUE_CHECKS) connection.keepValues();
  }

  /**
   * Finds slots with a `seq` below the least expected one.
   * @param least by market index; 0 without a tick
   */
  behind(least: Float64Array): Comparison {
    this.#compared = this.#seqs.slice();
    return this.#compare(this.#compared, (seq, symbol) => seq < least[symbol]);
  }

  /** Finds slots whose `seq` at the last call of {@link behind} was above the highest possible one. */
  ahead(most: Float64Array): Comparison {
    return this.#compare(this.#compared ?? this.#seqs, (seq, symbol) => most[symbol] > 0 && seq > most[symbol]);
  }

  /**
   * Compares the last values of some connections with those of the market, where `seq` is the same.
   * @param seqs by market index @param values of each symbol, adjacent; NaN for none
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

  /**
   * Finds trades, books and bars below the lowest allowed `seq`.
   * @param least by market index; 0 where it is not known
   */
  streamsBehind(channel: StreamChannel, least: Float64Array): Comparison {
    const found = new Findings();
    for (const { connection, stream } of this.#streams(channel)) {
      const symbol = connection.selection.symbolAt(stream.slot);
      if (stream.seq < least[symbol])
        found.add(() => `${nameOf(connection, stream.slot)} ${channel} at seq ${stream.seq}`);
    }
    return found;
  }

  /** Compares the last books or bars of some connections with those of the market, where `seq` is the same. */
  contents(
    channel: StreamChannel,
    seqs: Float64Array,
    contents: ReadonlyMap<number, readonly number[]>,
  ): ValueComparison {
    const found = new Findings();
    let compared = 0;
    for (const { connection, stream } of this.#streams(channel)) {
      const symbol = connection.selection.symbolAt(stream.slot);
      const [got, wanted] = [stream.values, contents.get(symbol)];
      if (stream.seq !== seqs[symbol] || !got || !wanted) continue;
      compared++;
      if (got.length !== wanted.length || got.some((value, index) => value !== wanted[index]))
        found.add(
          () => `${nameOf(connection, stream.slot)} ${channel}: ${got.join(" ")} instead of ${wanted.join(" ")}`,
        );
    }
    return { ...found, compared };
  }

  *#streams(channel: StreamChannel) {
    for (const connection of this.#connections)
      if (connection.isOpen) for (const stream of connection.streamsOf(channel)) yield { connection, stream };
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
    const elapsed = now - this.#lastMaintain;
    this.#lastMaintain = now;
    this.#context.ownDelay = Math.max(this.#context.ownDelay, (elapsed - MAINTAIN_PERIOD) * 1_000);
    this.#dropUnanswered(now);
    for (const connection of this.#slow) connection.grantBytes((elapsed * slowBytes) / 1_000);
    if (now >= this.#nextStallChange) {
      this.#nextStallChange = now + stallSeconds * 1_000;
      this.#isStalling = !this.#isStalling;
      for (const connection of this.#stalled)
        if (this.#isStalling) connection.stall();
        else connection.resume();
    }
    if (this.#tally.isCounting) this.#churn((elapsed * churn * this.#share.connections) / all / 1_000);
  }

  /** Drops connections that did not open in time. */
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

  async #waitUntil(isDone: () => boolean, timeout: number): Promise<void> {
    const deadline = performance.now() + timeout;
    while (!isDone() && performance.now() < deadline) await sleep(MAINTAIN_PERIOD);
  }
}

/** What is wrong: how often, and the first examples. */
class Findings implements Comparison {
  count = 0;
  readonly examples: string[] = [];

  add(example: () => string): void {
    if (this.count++ < MAX_EXAMPLES) this.examples.push(example());
  }
}

function nameOf({ localIndex, reader, selection }: Connection, slot: number): string {
  return `connection ${localIndex}, ${reader}: ${selection.nameAt(slot)}`;
}
