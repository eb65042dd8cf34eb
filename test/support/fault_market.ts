/** For the fault tests: a cluster of real processes with known published values, and clients that check them. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { Cluster } from "../../scripts/cluster/cluster.ts";
import type { ClusterProcess } from "../../scripts/cluster/cluster_process.ts";
import { waitUntil } from "../../scripts/cluster/probe.ts";
import { Follower } from "./follower.ts";
import { TickWriter } from "./tick_writer.ts";

/** The longest time after a fault until every client has the last published values, in milliseconds. */
export const CONVERGE = 2_000;
/** The longest time for anything without a promised limit, in milliseconds. */
export const PATIENCE = 15_000;

/** Symbols that tick all the time, and one that has ticked once. */
export const BUSY = Array.from({ length: 40 }, (_, index) => `TEST:S${String(index).padStart(2, "0")}`);
export const QUIET = "TEST:QUIET";
const RATE = 2_000;

export class FaultMarket {
  readonly cluster: Cluster;
  readonly writer: TickWriter;
  readonly followers: Follower[] = [];
  /** Processes that ended although the test did not end them. */
  readonly lost: string[] = [];

  private constructor(cluster: Cluster, lost: string[]) {
    this.cluster = cluster;
    this.lost = lost;
    const inputs = () => this.cluster.feeds.filter((feed) => feed.isRunning).map((feed) => feed.input);
    this.writer = new TickWriter(inputs, BUSY, RATE);
  }

  /** Starts a cluster that ends with the test, and the ticks; its processes get this environment too. */
  static async open(t: TestContext, env: Readonly<Record<string, string>> = {}): Promise<FaultMarket> {
    const lost: string[] = [];
    const cluster = await Cluster.create({
      port: 0,
      feeds: ["ndjson:-"],
      feedInput: true,
      env: { TICKGATE_LOG_LEVEL: "info", TICKGATE_LOG_FORMAT: "json", ...env },
      lost: (part, how) => lost.push(`${part.name}: ${how}`),
    });
    const market = new FaultMarket(cluster, lost);
    t.after(async () => {
      market.writer.rest();
      for (const follower of market.followers) follower.close();
      // A process that a failed test has left stopped would not receive the signal to end.
      for (const part of cluster.processes) part.signal("SIGCONT");
      await cluster.stop();
    });
    await cluster.start();
    market.writer.tick([QUIET, ...BUSY]);
    market.writer.start();
    return market;
  }

  /** Adds clients, and waits until they all have prices. */
  async follow(count: number, intervals: readonly number[], symbols = [QUIET, ...BUSY]): Promise<void> {
    await this.followAt(this.cluster.url, count, intervals, symbols);
  }

  /** As {@link follow}, at another address than the balancer's. */
  async followAt(url: string, count: number, intervals: readonly number[], symbols = [QUIET, ...BUSY]): Promise<void> {
    for (let index = 0; index < count; index++) {
      const interval = intervals[index % intervals.length];
      const fields = TickWriter.FIELDS;
      this.followers.push(new Follower({ url, symbols, fields, interval }));
    }
    const areComplete = () => this.followers.every((follower) => follower.isComplete);
    assert.ok(await waitUntil(areComplete, PATIENCE), "every client has every symbol");
    for (const follower of this.followers) follower.measure();
  }

  /** Waits until exactly one of the feeds leads. */
  async untilLed(): Promise<ClusterProcess> {
    let leading: ClusterProcess[] = [];
    const isLed = () => {
      leading = this.cluster.feeds.filter((feed) => feed.isRunning && leads(feed));
      return leading.length === 1;
    };
    assert.ok(await waitUntil(isLed, PATIENCE), "one feed leads");
    return leading[0];
  }

  /**
   * Waits until every client has a tick of every busy symbol that was made after this call. Prices only rise, so older
   * ticks are recognised.
   * @returns the time in ms; undefined after the limit
   */
  async untilTicks(deadline: number): Promise<number | undefined> {
    const from = performance.now();
    const price = this.writer.price;
    const isSince = ({ symbols }: Follower) => BUSY.every((symbol) => (symbols.get(symbol)?.values[0] ?? 0) >= price);
    const came = await waitUntil(() => this.followers.every(isSince), deadline);
    return came ? Math.round(performance.now() - from) : undefined;
  }

  /** Stops the ticks, and checks that every client has the last published values. */
  async assertConverged(deadline = CONVERGE): Promise<void> {
    this.writer.rest();
    await waitUntil(() => this.#different().length === 0, deadline);
    assert.deepEqual(this.#different().slice(0, 5), [], `not the last published values, after ${deadline} ms`);
  }

  /** Checks that no gateway broke a promise, and that no process ended by itself. */
  assertUnbroken(): void {
    const violations = this.followers.flatMap((follower) => follower.violations);
    assert.deepEqual(violations.slice(0, 5), []);
    assert.deepEqual(this.lost, []);
    for (const part of this.cluster.processes) assert.ok(part.isRunning, `${part.name} runs`);
  }

  /** Waits until a condition holds for every client's symbols. @returns false after the given ms */
  async everyState(state: string, symbols: readonly string[], deadline: number): Promise<boolean> {
    const isSo = (follower: Follower) => symbols.every((symbol) => follower.symbols.get(symbol)?.state === state);
    return waitUntil(() => this.followers.every(isSo), deadline);
  }

  #different(): string[] {
    const found: string[] = [];
    for (const [index, follower] of this.followers.entries())
      for (const [symbol, { seq, values, state }] of follower.symbols) {
        const last = this.writer.last.get(symbol);
        if (last?.every((value, at) => value === values[at]) && state === "live") continue;
        found.push(`client ${index} at ${follower.node}: ${symbol} ${seq} ${state} ${values}, published ${last}`);
      }
    return found;
  }
}

/** Whether a feed leads, by its last log line about that. */
function leads(feed: ClusterProcess): boolean {
  const said = feed.lines.findLast((line) => /"msg":"(leading|no longer leading|standing by)/.test(line));
  return said?.includes('"msg":"leading') ?? false;
}
