/** A feed, a bus and a gateway for the tests of examples/; each can be stopped and restarted. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { polled, ServerProcess } from "./gateway_process.ts";
import { freePort, RedisServer } from "./redis_server.ts";

/** `tickgate feed` with ticks that the test writes. */
class FeedProcess extends ServerProcess {
  static override async open(...args: string[]): Promise<FeedProcess> {
    const feed = new FeedProcess([
      "feed",
      "--feed",
      "ndjson:-?silence=0&channels=quote,book,trade,bar",
      "--admin-port",
      "0",
      ...args,
    ]);
    await feed.untilListening();
    return feed;
  }

  write(lines: readonly object[]): void {
    this.input.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  }

  end(): void {
    this.input.end();
  }
}

export class ExampleMarket {
  readonly #bus: readonly string[];
  readonly #gatewayArgs: readonly string[];
  readonly #seqs = new Map<string, number>();
  #feed: FeedProcess | undefined;
  #gateway: ServerProcess | undefined;

  private constructor(bus: readonly string[], gatewayArgs: readonly string[]) {
    this.#bus = bus;
    this.#gatewayArgs = [...gatewayArgs, ...bus];
  }

  /** Starts all of it, the gateway with additional settings; it ends with the test. */
  static async open(t: TestContext, ...settings: string[]): Promise<ExampleMarket> {
    const redis = await RedisServer.start();
    t.after(() => redis.stop());
    // A port that can be reused at once.
    const ports = ["--port", String(await freePort()), "--admin-port", "0"];
    const market = new ExampleMarket(["--redis-url", redis.url], [...ports, ...settings]);
    t.after(async () => {
      await market.stopFeed();
      await market.stopGateway("SIGKILL");
    });
    await market.startFeed();
    await market.startGateway();
    return market;
  }

  get url(): string {
    assert.ok(this.#gateway);
    return this.#gateway.url;
  }

  /** A trade and a book of a symbol. */
  tradeAndBook(symbol: string): void {
    const trade = { price: 1.5, size: 2, side: "sell", id: "t-1" };
    const book = {
      bids: [
        [1, 2],
        [0.5, 3],
      ],
      asks: [[2, 1]],
    };
    this.#feed?.write([
      { symbol, trade },
      { symbol, book },
    ]);
  }

  async startFeed(): Promise<void> {
    this.#feed = await FeedProcess.open(...this.#bus);
  }

  /** Kills the feed: its symbols become silent. */
  async stopFeed(): Promise<void> {
    await this.#feed?.close();
    this.#feed = undefined;
  }

  /** Ends the feed's input: its symbols are closed. */
  endFeed(): void {
    this.#feed?.end();
  }

  async startGateway(): Promise<void> {
    const gateway = await ServerProcess.open("gateway", ...this.#gatewayArgs);
    this.#gateway = gateway;
    await polled(
      async () => (await gateway.admin("/readyz")).status,
      (status) => status === 200,
      "the gateway to be ready",
    );
  }

  async stopGateway(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.#gateway?.signal(signal);
    await this.#gateway?.ended();
    this.#gateway = undefined;
  }

  /**
   * Several ticks of a symbol in one write, of which the bus gets the last. A tick's bid and last are its seq plus a
   * half, so that the output of a client can be checked.
   * @returns the seq of the last
   */
  tick(symbol: string, count = 1): number {
    assert.ok(this.#feed);
    const before = this.#seqs.get(symbol) ?? 0;
    const seqs = Array.from({ length: count }, (_, index) => before + index + 1);
    this.#feed.write(seqs.map((seq) => ({ symbol, bid: seq + 0.5, last: seq + 0.5 })));
    this.#seqs.set(symbol, before + count);
    return before + count;
  }

  /** Waits until the gateway knows a symbol. */
  async known(symbol: string): Promise<void> {
    await this.#gateway?.known(symbol);
  }
}
