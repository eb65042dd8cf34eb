/** Ticks from a file, a named pipe or standard input, one JSON object a line: the door for sources of one's own. */
import { accessSync, constants, createReadStream, openSync, type Stats, statSync } from "node:fs";
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import { LogLimit } from "../log_limit.ts";
import { UsageError } from "../option.ts";
import type { Adapter, Feed, FeedContext } from "./adapter.ts";
import { LineSplitter } from "./lines.ts";
import { BadLine, parseLine } from "./ndjson_line.ts";

/** The longest line, in bytes. */
export const LINE_BYTES = 65_536;

export const ndjson: Adapter<Record<never, never>> = {
  name: "ndjson",
  target: "FILE",
  help: "One JSON object a line from a file or a named pipe; - is standard input",
  options: {},
  create(target, _options, context) {
    return new NdjsonFeed(target, source(target), context);
  },
};

/** Finds out now whether there is something to read, so that a wrong name is a mistake in the command line. */
function source(target: string): () => Readable {
  if (target === "") throw new UsageError("names no file; write it behind the colon, or - for standard input");
  if (target === "-") return () => process.stdin;
  let stats: Stats;
  try {
    stats = statSync(target);
    accessSync(target, constants.R_OK);
  } catch (error) {
    throw new UsageError(`cannot read ${target}: ${(error as Error).message}`, { cause: error });
  }
  if (stats.isDirectory()) throw new UsageError(`cannot read ${target}: it is a directory`);
  // A named pipe that nobody writes to yet would block a thread in open(), and the end of the process with it.
  if (stats.isFIFO())
    return () => new Socket({ fd: openSync(target, constants.O_RDONLY | constants.O_NONBLOCK), writable: false });
  return () => createReadStream(target);
}

/** Reads lines and makes ticks of them. A bad line is logged with its number and skipped. */
export class NdjsonFeed implements Feed {
  readonly #target: string;
  readonly #open: () => Readable;
  readonly #context: FeedContext;
  readonly #events: LogLimit;
  readonly #splitter: LineSplitter;
  #input: Readable | undefined;
  #resuming: NodeJS.Immediate | undefined;
  #line = 0;
  #isReading = false;
  #closed = false;

  constructor(target: string, open: () => Readable, context: FeedContext) {
    this.#target = target;
    this.#open = open;
    this.#context = context;
    this.#events = new LogLimit(context.log, context.clock);
    this.#splitter = new LineSplitter(LINE_BYTES, (line) => this.#take(line));
  }

  start(): void {
    try {
      this.#input = this.#open();
    } catch (error) {
      return this.#end(`cannot read: ${(error as Error).message}`);
    }
    this.#context.log.info({ from: this.#target }, "reading");
    this.#isReading = true;
    this.#context.sink.connected();
    this.#input
      .on("data", (chunk: Buffer) => this.#chunk(chunk))
      .on("end", () => {
        this.#splitter.end();
        this.#end("end of input");
      })
      .on("error", (error) => this.#end(`cannot read: ${error.message}`));
  }

  get connected(): boolean {
    return this.#isReading;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#isReading = false;
    clearImmediate(this.#resuming);
    this.#events.close();
    this.#input?.removeAllListeners("data").removeAllListeners("end").destroy();
  }

  #chunk(chunk: Buffer): void {
    if (this.#closed) return;
    // A pipe that is always full would otherwise be read in one turn of the event loop without end.
    this.#input?.pause();
    this.#resuming = setImmediate(() => this.#input?.resume());
    this.#splitter.push(chunk);
  }

  #take(line: string | undefined): void {
    if (this.#closed) return;
    this.#line++;
    if (line === undefined) return this.#bad(new BadLine(`is longer than ${LINE_BYTES} bytes`));
    const text = this.#line === 1 && line.startsWith("\uFEFF") ? line.slice(1) : line;
    if (text.trim() === "") return;
    const tick = parseLine(text);
    if (tick instanceof BadLine) return this.#bad(tick);
    const { clock, sink } = this.#context;
    sink.tick(tick.symbol, tick.patch, tick.time ?? clock.micros());
  }

  #bad(line: BadLine): void {
    this.#context.sink.skip(line.reason);
    const details = { from: `${this.#target}:${this.#line}`, reason: `the line ${line.message}` };
    this.#events.add("warn", details, "skipping a line");
  }

  #end(reason: string): void {
    if (this.#closed) return;
    this.#events.close();
    const { log } = this.#context;
    if (reason === "end of input") log.info({ from: this.#target, lines: this.#line }, reason);
    else log.error({ from: this.#target, lines: this.#line, reason }, "the input cannot be read");
    this.#context.sink.closed(reason);
  }
}
