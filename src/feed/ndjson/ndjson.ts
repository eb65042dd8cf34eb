/** Ticks from a file, a named pipe or standard input, one JSON object a line: for the user's own sources. */
import type { Readable } from "node:stream";
import { RateLimitedLog } from "../../log/rate_limited_log.ts";
import type { Channel } from "../../protocol/messages.ts";
import { integer } from "../../settings/option.ts";
import type { Adapter, Feed, FeedContext, OptionValues } from "../adapter.ts";
import { SilenceDetector } from "../silence.ts";
import { BadLine } from "./bad_line.ts";
import { type Input, inputAt } from "./input.ts";
import { parseLine } from "./line.ts";
import { LineSplitter } from "./lines.ts";

/** The longest line, in bytes. */
export const LINE_BYTES = 65_536;
/**
 * How long a pipe may have no writer before its symbols are stale, ms: a script that opens the pipe for each line
 * returns within this time. The pipe is also opened again at this interval, because another one may have replaced it.
 */
const WRITERLESS_MILLIS = 1_000;

/** The smallest limit is that of the exchanges; a user's own source may send once a day. */
const limit = integer(100, 86_400_000, "ms");

const OPTIONS = {
  silence: {
    kind: { ...limit, range: `0 or ${limit.range}`, read: (text: string) => (text === "0" ? 0 : limit.read(text)) },
    default: 60_000,
    help: "Nothing heard for so long, not even an empty line: its symbols are stale; 0 for a source that may rest",
  },
};

export const ndjson: Adapter<typeof OPTIONS> = {
  name: "ndjson",
  target: "FILE",
  help: "One JSON object a line from a file or a named pipe; - is standard input",
  options: OPTIONS,
  create(target, options, context) {
    return new NdjsonFeed(target, inputAt(target), options, context);
  },
};

/** Parses lines into ticks. A bad line is logged with its number and skipped. */
export class NdjsonFeed implements Feed {
  readonly #target: string;
  readonly #source: Input;
  readonly #context: FeedContext;
  readonly #events: RateLimitedLog;
  readonly #splitter: LineSplitter;
  readonly #silence: SilenceDetector;
  #input: Readable | undefined;
  #resuming: NodeJS.Immediate | undefined;
  /** Of a pipe: looks whether a writer has come, or has left. */
  #waiting: NodeJS.Timeout | undefined;
  #line = 0;
  /** Whether anything was read since the pipe was opened. */
  #hasWriter = false;
  #isConnected = false;
  /** Whether the silence was reported. */
  #isSilent = false;
  #closed = false;

  constructor(target: string, source: Input, options: OptionValues<typeof OPTIONS>, context: FeedContext) {
    this.#target = target;
    this.#source = source;
    this.#context = context;
    this.#events = new RateLimitedLog(context.log, context.clock);
    this.#splitter = new LineSplitter(LINE_BYTES, (line) => this.#handleLine(line));
    const { silence } = options;
    this.#silence = new SilenceDetector(context.clock, silence, () =>
      this.#reportSilence(`nothing heard for ${silence} ms`),
    );
  }

  start(): void {
    try {
      this.#read(this.#source.open());
    } catch (error) {
      return this.#fail(error as Error);
    }
    this.#context.log.info({ from: this.#target }, "reading");
    if (this.#source.isPipe) this.#waitForWriter();
    else this.#connect();
  }

  get connected(): boolean {
    return this.#isConnected;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#isConnected = false;
    this.#stop();
    this.#input?.removeAllListeners("data").removeAllListeners("end").destroy();
  }

  #read(input: Readable): void {
    const before = this.#input;
    this.#input = input;
    this.#hasWriter = false;
    input
      .on("data", (chunk: Buffer) => this.#chunk(chunk))
      .on("end", () => this.#ended())
      .on("error", (error) => this.#fail(error));
    // The new end is open before the old one closes, so that a writer is never without a reader.
    before?.removeAllListeners("data").removeAllListeners("end").destroy();
  }

  #chunk(chunk: Buffer): void {
    if (this.#closed) return;
    this.#hasWriter = true;
    if (!this.#isConnected) this.#connect();
    this.#silence.heard();
    // Without this, a pipe that is always full would be read in one event loop iteration without end.
    this.#input?.pause();
    this.#resuming = setImmediate(() => this.#input?.resume());
    this.#splitter.push(chunk);
  }

  #connect(): void {
    clearInterval(this.#waiting);
    if (this.#source.isPipe) this.#waiting = setInterval(() => this.#source.probe(), WRITERLESS_MILLIS);
    this.#isConnected = true;
    this.#context.sink.connected();
    this.#silence.start();
    if (!this.#isSilent) return;
    this.#isSilent = false;
    this.#events.write("info", { from: this.#target }, "the input is heard again");
  }

  #disconnect(): void {
    if (!this.#isConnected) return;
    this.#isConnected = false;
    this.#context.sink.disconnected();
  }

  #ended(): void {
    if (this.#closed) return;
    this.#splitter.end();
    if (!this.#source.isPipe) {
      this.#context.log.info({ from: this.#target, lines: this.#line }, "end of input");
      return this.#end("end of input");
    }
    // At once after a writer; one second later when there was none, because some systems end such a pipe at once and
    // this would be a busy loop.
    if (this.#hasWriter) this.#reopen();
    this.#disconnect();
    this.#waitForWriter();
  }

  /**
   * Waits for a writer of the pipe. Symbols are marked stale each time: the last-value store may have restored some.
   */
  #waitForWriter(): void {
    this.#silence.stop();
    clearInterval(this.#waiting);
    this.#waiting = setInterval(() => {
      if (this.#reopen()) this.#reportSilence("nobody writes to the pipe");
    }, WRITERLESS_MILLIS);
  }

  /** @returns whether there is a pipe */
  #reopen(): boolean {
    try {
      this.#read(this.#source.open());
      return true;
    } catch (error) {
      this.#reportSilence(cause(error as Error));
      return false;
    }
  }

  #reportSilence(reason: string): void {
    if (this.#closed) return;
    this.#context.sink.stale(reason);
    if (this.#isSilent) return;
    this.#isSilent = true;
    this.#disconnect();
    this.#events.write("warn", { from: this.#target, reason }, "nothing heard from the input; its symbols are stale");
  }

  #handleLine(line: string | undefined): void {
    if (this.#closed) return;
    this.#line++;
    if (line === undefined) return this.#skipLine(new BadLine(`is longer than ${LINE_BYTES} bytes`));
    const text = this.#line === 1 && line.startsWith("\uFEFF") ? line.slice(1) : line;
    if (text.trim() === "") return;
    const tick = parseLine(text);
    if (tick instanceof BadLine) return this.#skipLine(tick);
    const { symbol, patch, trade, book, time } = tick;
    const { sink, channels } = this.#context;
    if (patch) sink.tick(symbol, patch, time);
    if (trade && channels.has("trade")) sink.trade(symbol, trade, time);
    else if (trade) this.#skipPart("trade");
    if (book && channels.has("book")) sink.book(symbol, book, time);
    else if (book) this.#skipPart("book");
  }

  /** The rest of the line is published. */
  #skipPart(channel: Channel): void {
    this.#skipLine(new BadLine(`has a ${channel}, and the feed no option channels=quote,${channel}`, "unknown"));
  }

  #skipLine(line: BadLine): void {
    this.#context.sink.skip(line.reason);
    const details = { from: `${this.#target}:${this.#line}`, reason: `the line ${line.message}` };
    this.#events.write("warn", details, "skipping a line");
  }

  #fail(error: Error): void {
    if (this.#closed) return;
    if (this.#source.isPipe) {
      this.#reportSilence(cause(error));
      return this.#waitForWriter();
    }
    const { message: reason } = error;
    this.#context.log.error({ from: this.#target, lines: this.#line, reason }, "the input cannot be read");
    this.#end(cause(error));
  }

  /** The source is at its end for good. */
  #end(reason: string): void {
    this.#stop();
    this.#disconnect();
    this.#context.sink.closed(reason);
  }

  #stop(): void {
    this.#closed = true;
    clearImmediate(this.#resuming);
    clearInterval(this.#waiting);
    this.#silence.stop();
    this.#events.close();
  }
}

/** The error for clients, without the path that the system's message contains. */
function cause(error: NodeJS.ErrnoException): string {
  return `cannot read: ${error.code ?? "failed"}`;
}
