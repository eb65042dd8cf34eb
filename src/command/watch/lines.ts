/**
 * The watch as lines, for a pipe or a file. With a slow reader no queue grows: each symbol waits once, and its line
 * shows the latest tick when it is written.
 */
import type { Writable } from "node:stream";
import { printable, printableJson } from "../../base/printable.ts";
import type { ConnectionState, Quote, TickgateClient } from "../../client/client.ts";
import type { Quality, Rejection } from "../../protocol/messages.ts";

type StatusWord = Quote["state"] | "gap";

/** Formats lines; undefined when there is no line for an event. */
export interface LineFormat {
  /** @param conflated the number of ticks left out since the last line of the symbol */
  tick(quote: Quote, conflated: number): string;
  status(quote: Quote, state: StatusWord, reason: string, now: number): string;
  connection(state: ConnectionState): string | undefined;
  quality(quality: Quality): string | undefined;
  rejected(rejection: Rejection): string | undefined;
}

/** Lines for people: `2026-10-19T12:00:00.000Z SIM:S0001 last=… bid=… ask=… seq=…`. */
export const PLAIN: LineFormat = {
  tick: (quote) =>
    printable(
      `${iso(quote.eventTime)} ${quote.symbol} last=${quote.get("last") ?? "-"} bid=${quote.get("bid") ?? "-"} ask=${quote.get("ask") ?? "-"} seq=${quote.seq}`,
    ),
  status: (quote, state, reason, now) => printable(`${iso(now)} ${quote.symbol} ${state}${reason && `: ${reason}`}`),
  // These are reported on standard error.
  connection: () => undefined,
  quality: () => undefined,
  rejected: () => undefined,
};

/** Lines for programs: one JSON object a line, with its `type`. Times are microseconds since the Unix epoch. */
export const JSON_LINES: LineFormat = {
  tick: (quote, conflated) =>
    printableJson({
      type: "tick",
      symbol: quote.symbol,
      seq: quote.seq,
      eventTime: quote.eventTime,
      sentAt: quote.sentAt,
      conflated,
      ...quote.toObject(),
    }),
  status: (quote, state, reason) =>
    printableJson({ type: "status", symbol: quote.symbol, state, reason, since: quote.since }),
  connection(state) {
    const { phase } = state;
    if (phase === "open") return printableJson({ type: "connection", state: phase, ...about(state.hello) });
    if (phase === "silent") return printableJson({ type: "connection", state: phase });
    if (phase === "waiting" || phase === "ended")
      return printableJson({ type: "connection", state: phase, reason: state.reason });
    return undefined;
  },
  quality: ({ state, interval, reason }) => printableJson({ type: "quality", state, interval, reason }),
  rejected: ({ symbol, code, message }) => printableJson({ type: "rejected", symbol, code, message }),
};

function about({ node, session }: { node: string; session: string }): { node: string; session: string } {
  return { node, session };
}

function iso(micros: number): string {
  const date = new Date(micros / 1_000);
  return Number.isNaN(date.getTime()) ? "-" : date.toISOString();
}

/** The pending line of one symbol. */
interface Waiting {
  readonly quote: Quote;
  hasTick: boolean;
  /** Ticks left out since its last line. */
  conflated: number;
  status: { readonly state: StatusWord; readonly reason: string } | undefined;
}

/** Characters that are collected before they are written within a frame. */
const GATHERED = 65_536;

export class LinePrinter {
  readonly #out: Writable;
  readonly #format: LineFormat;
  readonly #now: () => number;
  /** By symbol, in the order of arrival. */
  readonly #waiting = new Map<string, Waiting>();
  /** The latest event of the connection, by kind. */
  readonly #notes = new Map<string, string>();
  #text = "";
  #scheduled = false;
  #phase: ConnectionState["phase"] = "idle";

  /** @param now microseconds since the Unix epoch */
  constructor(out: Writable, format: LineFormat, now: () => number) {
    this.#out = out;
    this.#format = format;
    this.#now = now;
    out.on("drain", () => this.#catchUp());
  }

  /** Prints the events of a client. */
  listen(client: TickgateClient): void {
    client.on("tick", (quote, conflated) => this.tick(quote, conflated));
    client.on("status", (quote, state, reason) => this.status(quote, state, reason));
    client.on("connection", (state) => this.connection(state));
    client.on("quality", (quality) => this.quality(quality));
    client.on("rejected", (rejection) => this.rejected(rejection));
  }

  /** Symbols that wait for the reader. */
  get waiting(): number {
    return this.#waiting.size;
  }

  tick(quote: Quote, conflated: number): void {
    if (!this.#isBlocked) return this.#print(this.#format.tick(quote, conflated));
    const waiting = this.#wait(quote);
    waiting.conflated += conflated + (waiting.hasTick ? 1 : 0);
    waiting.hasTick = true;
  }

  status(quote: Quote, state: StatusWord, reason: string): void {
    if (this.#isBlocked) this.#wait(quote).status = { state, reason };
    else this.#print(this.#format.status(quote, state, reason, this.#now()));
  }

  connection(state: ConnectionState): void {
    const before = this.#phase;
    if (state.phase === "connecting") return;
    this.#phase = state.phase;
    // Several failed attempts in a row are one change.
    if (state.phase !== before) this.#note("connection", this.#format.connection(state));
  }

  quality(quality: Quality): void {
    this.#note("quality", this.#format.quality(quality));
  }

  rejected(rejection: Rejection): void {
    // The number is bounded: a gateway rejects at most the texts of the command line.
    this.#note(`rejected ${rejection.symbol}`, this.#format.rejected(rejection));
  }

  /** Writes the collected lines. Resolves when the reader accepted them. */
  finish(): Promise<void> {
    this.#write();
    return new Promise((resolve) => this.#out.write("", () => resolve()));
  }

  get #isBlocked(): boolean {
    return this.#waiting.size > 0 || this.#notes.size > 0 || this.#out.writableNeedDrain;
  }

  #wait(quote: Quote): Waiting {
    const found = this.#waiting.get(quote.symbol);
    if (found) return found;
    const waiting: Waiting = { quote, hasTick: false, conflated: 0, status: undefined };
    this.#waiting.set(quote.symbol, waiting);
    return waiting;
  }

  #note(kind: string, line: string | undefined): void {
    if (line === undefined) return;
    if (this.#isBlocked) this.#notes.set(kind, line);
    else this.#print(line);
  }

  #print(line: string): void {
    this.#text += `${line}\n`;
    if (this.#text.length >= GATHERED) return this.#write();
    if (this.#scheduled) return;
    this.#scheduled = true;
    // Runs after the whole message was handled: one write for a frame.
    queueMicrotask(() => this.#write());
  }

  #write(): void {
    this.#scheduled = false;
    const text = this.#text;
    this.#text = "";
    if (text) this.#out.write(text);
  }

  /** Writes pending lines while the reader has room. */
  #catchUp(): void {
    for (const [kind, line] of this.#notes) {
      if (this.#out.writableNeedDrain) return;
      this.#notes.delete(kind);
      this.#print(line);
    }
    for (const [symbol, { quote, hasTick, conflated, status }] of this.#waiting) {
      if (this.#out.writableNeedDrain) return;
      this.#waiting.delete(symbol);
      if (status) this.#print(this.#format.status(quote, status.state, status.reason, this.#now()));
      if (hasTick) this.#print(this.#format.tick(quote, conflated));
    }
  }
}
