/** The capture player's rules of each venue: what a client requests, and which messages belong to it. */

import { readObject } from "../number.ts";
import type { Capture } from "./capture.ts";

/** One client's conversation with the venue. */
export interface Conversation {
  /** Whether the client sent a request, so that the messages may begin. */
  readonly hasRequest: boolean;
  /** Handles a message of the client. @returns the answers */
  receive(text: string): string[];
  /** Whether the client requested a captured message. */
  isRequested(text: string): boolean;
  /** The messages that the venue sends each second. */
  heartbeat(): string[];
}

/** Creates a conversation with the venue of the capture. @param path path and query of the client's request */
export function createConversation(capture: Capture, path: string): Conversation {
  const hosts = capture.urls.join(" ");
  if (hosts.includes("coinbase.com")) return new CoinbaseConversation(capture);
  if (hosts.includes("binance.com")) return new BinanceConversation(path);
  return new PlainConversation(!capture.waits);
}

/**
 * The captured answer to a GET of the same path, symbol and interval, whatever the other parameters.
 * @param path path and query of the request
 */
export function answerTo({ answers }: Capture, path: string): string | undefined {
  if (!URL.canParse(path, "http://x")) return undefined;
  const asked = new URL(path, "http://x");
  return answers.find(({ url }) => {
    const { pathname, searchParams } = new URL(url);
    const isSame = (name: string) => searchParams.get(name) === asked.searchParams.get(name);
    return pathname === asked.pathname && isSame("symbol") && isSame("interval");
  })?.text;
}

/**
 * An unknown venue sends everything to every client; if the captured client sent something first, after a first
 * message.
 */
class PlainConversation implements Conversation {
  hasRequest: boolean;

  constructor(asked: boolean) {
    this.hasRequest = asked;
  }

  receive(): string[] {
    this.hasRequest = true;
    return [];
  }

  isRequested(): boolean {
    return true;
  }

  heartbeat(): string[] {
    return [];
  }
}

const COINBASE_CHANNELS: Readonly<Record<string, string>> = {
  ticker: "ticker",
  heartbeat: "heartbeat",
  match: "matches",
  last_match: "matches",
  snapshot: "level2",
  l2update: "level2",
};

class CoinbaseConversation implements Conversation {
  hasRequest = false;
  /** `channel product` of each subscription. */
  readonly #subscribed = new Set<string>();
  readonly #capture: Capture;

  constructor(capture: Capture) {
    this.#capture = capture;
  }

  receive(text: string): string[] {
    const message = parse(text);
    if (message?.type !== "subscribe" && message?.type !== "unsubscribe")
      return [JSON.stringify({ type: "error", message: "Malformed JSON", reason: "not a subscribe message" })];
    const wanted: string[] = [];
    for (const channel of array(message.channels)) {
      const { name, product_ids } = readObject(channel) ?? { name: channel, product_ids: undefined };
      for (const product of array(product_ids ?? message.product_ids)) {
        if (!this.#knows(String(product))) return [failed(`${product} is not a valid product`)];
        wanted.push(`${String(name).replace("level2_batch", "level2")} ${product}`);
      }
    }
    if (wanted.length === 0) return [failed("No channels provided")];
    for (const entry of wanted)
      if (message.type === "subscribe") this.#subscribed.add(entry);
      else this.#subscribed.delete(entry);
    this.hasRequest = true;
    return [JSON.stringify({ type: "subscriptions", channels: this.#channels() })];
  }

  isRequested(text: string): boolean {
    const message = parse(text);
    const channel = COINBASE_CHANNELS[String(message?.type)];
    return channel !== undefined && this.#subscribed.has(`${channel} ${message?.product_id}`);
  }

  heartbeat(): string[] {
    const time = new Date().toISOString().replace("Z", "000Z");
    return [...this.#subscribed]
      .filter((entry) => entry.startsWith("heartbeat "))
      .map((entry) =>
        JSON.stringify({ type: "heartbeat", sequence: 0, last_trade_id: 0, product_id: entry.split(" ")[1], time }),
      );
  }

  /** The venue's products are those in the capture's messages or in its client's requests. */
  #knows(product: string): boolean {
    const quoted = JSON.stringify(product);
    return (
      this.#capture.sent.some((text) => text.includes(quoted)) ||
      this.#capture.received.some(({ text }) => text.includes(`"product_id":${quoted}`))
    );
  }

  #channels(): { name: string; product_ids: string[] }[] {
    const channels = new Map<string, string[]>();
    for (const entry of this.#subscribed) {
      const [name, product] = entry.split(" ");
      channels.set(name, [...(channels.get(name) ?? []), product]);
    }
    return [...channels].map(([name, product_ids]) => ({ name, product_ids }));
  }
}

function failed(reason: string): string {
  return JSON.stringify({ type: "error", message: "Failed to subscribe", reason });
}

class BinanceConversation implements Conversation {
  readonly #streams: Set<string>;

  constructor(path: string) {
    const query = /[?&]streams=([^&]*)/.exec(path)?.[1] ?? "";
    this.#streams = new Set(query.split("/").filter((stream) => stream !== ""));
  }

  get hasRequest(): boolean {
    return this.#streams.size > 0;
  }

  receive(text: string): string[] {
    const message = parse(text);
    const id = message?.id ?? null;
    const streams = array(message?.params).map(String);
    if (message?.method === "SUBSCRIBE") for (const stream of streams) this.#streams.add(stream);
    else if (message?.method === "UNSUBSCRIBE") for (const stream of streams) this.#streams.delete(stream);
    else return [JSON.stringify({ code: 2, msg: "Invalid request: unknown variant", id })];
    return [JSON.stringify({ result: null, id })];
  }

  isRequested(text: string): boolean {
    return this.#streams.has(String(parse(text)?.stream));
  }

  heartbeat(): string[] {
    return [];
  }
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return readObject(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function array(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
