/** A real gateway for the tests of the client, with a feed that the test controls. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { pino } from "pino";
import { SystemClock } from "../../src/base/clock.ts";
import { MemoryBus } from "../../src/bus/memory.ts";
import type { TickgateClient } from "../../src/client/client.ts";
import { Publisher } from "../../src/feed/publisher.ts";
import { Gateway } from "../../src/gateway/gateway.ts";
import { PublisherTable } from "../../src/market/publisher_table.ts";
import { readSettings } from "../../src/settings/command_line.ts";
import type { Settings } from "../../src/settings/settings.ts";

/** How long a test waits for a condition, ms. */
const DEADLINE = 10_000;

export class LiveGateway {
  readonly port: number;
  readonly publisher: Publisher;
  readonly #gateway: Gateway;

  private constructor(gateway: Gateway, publisher: Publisher, port: number) {
    this.#gateway = gateway;
    this.publisher = publisher;
    this.port = port;
  }

  static async open(overrides: Partial<Settings> = {}): Promise<LiveGateway> {
    const { settings } = readSettings("all", [], {});
    const clock = new SystemClock();
    const bus = new MemoryBus();
    const writer = bus.writer();
    const table = new PublisherTable(1_000);
    await writer.start(table);
    const quick = { port: 0, node: "test", drainDelay: 0, drainSpread: 20 };
    const gateway = new Gateway({ ...settings, ...quick, ...overrides }, bus, clock, pino({ level: "silent" }));
    const port = await gateway.start();
    return new LiveGateway(gateway, new Publisher(table, writer, clock), port);
  }

  /** The number of open connections, and of all their subscribed symbols. */
  get load(): { connections: number; subscriptions: number } {
    const { connections, subscriptions } = this.#gateway.counts;
    return { connections, subscriptions };
  }

  /** The answer of `/v1/ticks` for some symbols. */
  async ticks(symbols: readonly string[]): Promise<{ symbol: string; seq: number; [field: string]: unknown }[]> {
    const answer = await fetch(`http://127.0.0.1:${this.port}/v1/ticks?symbols=${symbols.join()}`);
    return ((await answer.json()) as { ticks: { symbol: string; seq: number }[] }).ticks;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/v1/stream`;
  }

  tick(symbol: string, bid: number, ask: number, time = Date.now() * 1_000): void {
    this.publisher.tick(symbol, { bid, ask }, time);
  }

  /** Sends `bye` to all connections and ends, as on SIGTERM. */
  async drain(): Promise<void> {
    await this.#gateway.drain();
    this.#gateway.close();
  }

  /** Cuts all connections and ends. */
  cut(): void {
    this.#gateway.close();
  }
}

/**
 * A port that a second gateway can use after the first: a port that the system chose (0) is not free again at once.
 */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Waits until a condition is true; checks it at each event of the client. */
export function until(client: TickgateClient, condition: () => boolean, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (!condition()) return;
      clearTimeout(timer);
      stop();
      resolve();
    };
    const timer = setTimeout(() => {
      stop();
      reject(new Error(`waited ${DEADLINE} ms for ${what}`));
    }, DEADLINE);
    const events = [
      "connection",
      "granted",
      "rejected",
      "ended",
      "tick",
      "status",
      "quality",
      "pong",
      "error",
    ] as const;
    const listening = events.map((event) => client.on(event, look));
    const stop = () => {
      for (const end of listening) end();
    };
    look();
  });
}
