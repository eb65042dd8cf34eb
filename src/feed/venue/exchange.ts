/** The common part of all exchange feeds: options, symbols, and several connections as one feed. */
import { integer, type Kind, url } from "../../settings/option.ts";
import type { Feed, FeedContext } from "../adapter.ts";
import { symbolList } from "../symbols.ts";
import { Connection, type ConnectionOptions, type Venue } from "./connection.ts";

export interface ExchangeOptions extends Readonly<Record<string, unknown>>, ConnectionOptions {
  readonly url: string;
}

const websocket = url(["ws", "wss"]);
/** A WebSocket address; it must not have a fragment (RFC 6455, section 3). */
const address: Kind<string> = { ...websocket, read: (text) => (text.includes("#") ? undefined : websocket.read(text)) };

/** The options of an exchange feed. */
export function exchangeOptions(home: string, silence: number) {
  return {
    url: { kind: address, default: home, help: "The address to connect to" },
    silence: {
      kind: integer(100, 600_000, "ms"),
      default: silence,
      help: "Nothing heard for so long: its symbols are stale and it connects again",
    },
    maxBackoff: {
      kind: integer(100, 600_000, "ms"),
      default: 30_000,
      help: "The longest wait before it connects again",
    },
  };
}

/**
 * The venue's names of the requested symbols, in upper case.
 * @throws UsageError, as {@link symbolList}
 */
export function venueSymbols(target: string, pattern: RegExp, example: string): string[] {
  return symbolList(target.toUpperCase(), pattern, example);
}

/** A feed with one connection or several. */
export class ExchangeFeed implements Feed {
  readonly #connections: readonly Connection[];
  readonly #others: readonly { close(): void }[];

  /** @param others what else is to be closed */
  constructor(
    venues: readonly Venue[],
    context: FeedContext,
    options: ConnectionOptions,
    others: readonly { close(): void }[] = [],
  ) {
    this.#others = others;
    this.#connections = venues.map((venue) => new Connection(venue, context, options));
  }

  start(): void {
    for (const connection of this.#connections) connection.start();
  }

  get connected(): boolean {
    return this.#connections.every((connection) => connection.isOpen);
  }

  async close(): Promise<void> {
    for (const other of this.#others) other.close();
    await Promise.all(this.#connections.map((connection) => connection.close()));
  }
}
