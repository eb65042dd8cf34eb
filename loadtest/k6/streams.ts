/** The checks of the trades, the book and the bars of one symbol of a client. */
import { BAR_FAULTS, BAR_VALUES, BarChecks, type BarFault, LAST_BARS } from "../bar_checks.ts";
import type { StreamTick } from "./msgpack.ts";
import type { Promised } from "./promises.ts";
import { RESOLUTIONS } from "./scenarios.ts";

/** How many past trades, and which depth, are asked for; the depth is granted as it is. */
const LAST = 10;
const DEPTH = 10;
/** Values of a trade (price, size, side, id) and of a book (bids, asks), behind handle, `seq` and event time. */
const TRADE_VALUES = 4;
const BOOK_VALUES = 2;
/** A frame of more bytes may have been full: the trades or bars of one interval then come in several. */
const FULL_FRAME = 400;

/** The frame of a tick. */
export interface StreamFrame {
  readonly sentAt: number;
  readonly number: number;
  readonly bytes: number;
  /** Frames of one period are read without leaving out any. */
  readonly period: number;
}

type Report = (promise: Promised, detail: string) => void;

/** A grant or a status in the channel. */
interface Message {
  readonly op: string;
  readonly interval: number;
  readonly depth?: number;
  readonly resolution?: string;
  readonly symbols: readonly (readonly [symbol: string, handle: number, count: number])[];
  readonly state?: string;
  readonly reason?: string;
  readonly missed?: unknown;
}

/** One channel's subscription of one symbol. */
abstract class Stream {
  /** -1 before the grant. */
  handle = -1;
  protected readonly report: Report;
  protected interval = 0;
  protected seq = 0;
  protected sentAt = 0;
  protected frame = 0;

  constructor(report: Report) {
    this.report = report;
  }

  /** The own keys of the command. */
  abstract readonly command: Readonly<Record<string, string | number>>;

  granted({ interval, symbols }: Message): void {
    this.handle = symbols[0][1];
    this.interval = interval * 1_000;
  }

  abstract gap(message: Message): void;

  /** @returns whether its age counts: not that of a snapshot */
  abstract tick(tick: StreamTick, frame: StreamFrame): boolean;

  protected checkInterval({ sentAt }: StreamFrame): void {
    const after = sentAt - this.sentAt;
    if (after < this.interval) this.report("interval", `${after / 1_000} ms`);
  }
}

class Tape extends Stream {
  readonly command = { channel: "trade", last: LAST };
  missed = 0;
  #past = 0;
  /** The period in which the number of the next trade is known. */
  #period = 0;
  #mayFollowAtOnce = false;

  override granted(message: Message): void {
    super.granted(message);
    const [, , count] = message.symbols[0];
    if (!(count >= 0 && count <= LAST)) this.report("granted", `${count} past trades of ${LAST}`);
    this.#past = count;
  }

  gap({ reason, missed }: Message): void {
    this.#mayFollowAtOnce = true;
    if (reason === "reset") {
      this.seq = this.#past = 0;
      return;
    }
    if (!(typeof missed === "number" && missed >= 1)) return this.report("trades", `a gap with missed ${missed}`);
    this.missed += missed;
    if (this.seq > 0) this.seq += missed;
  }

  tick({ seq, values }: StreamTick, { sentAt, number, bytes, period }: StreamFrame): boolean {
    const [price, size, side] = values as number[];
    const id = values[TRADE_VALUES - 1];
    const isWhole = values.length === TRADE_VALUES && (id === null || typeof id === "string");
    if (!(isWhole && Number.isFinite(price) && size > 0 && (side === 1 || side === 0 || side === -1)))
      this.report("trades", `a trade of ${values.join(" ")}`);
    if (number !== this.frame && !this.#mayFollowAtOnce) this.checkInterval({ sentAt, number, bytes, period });
    if (seq <= this.seq) this.report("trades", `${this.seq} to ${seq}`);
    else if (this.seq > 0 && period === this.#period && seq !== this.seq + 1)
      this.report("trades", `${this.seq} to ${seq} without a gap`);
    this.#mayFollowAtOnce = bytes > FULL_FRAME;
    [this.seq, this.sentAt, this.frame, this.#period] = [seq, sentAt, number, period];
    return --this.#past < 0;
  }
}

class Book extends Stream {
  readonly command = { channel: "book", depth: DEPTH };
  #mayRepeat = true;

  override granted(message: Message): void {
    super.granted(message);
    if (message.depth !== DEPTH) this.report("granted", `a book of depth ${message.depth}`);
  }

  gap({ reason }: Message): void {
    if (reason === "reset") this.seq = 0;
    this.#mayRepeat = true;
  }

  tick({ seq, values }: StreamTick, frame: StreamFrame): boolean {
    const [bids, asks] = values as [number[], number[]];
    const isWhole = values.length === BOOK_VALUES && isSide(bids, -1) && isSide(asks, 1);
    if (!isWhole || bids[0] >= asks[0]) this.report("book", JSON.stringify(values));
    if (frame.number === this.frame) this.report("once", "a book");
    else this.checkInterval(frame);
    if (seq < this.seq || (seq === this.seq && !this.#mayRepeat)) this.report("seq", `book ${this.seq} to ${seq}`);
    const isFirst = this.#mayRepeat;
    this.#mayRepeat = false;
    [this.seq, this.sentAt, this.frame] = [seq, frame.sentAt, frame.number];
    return !isFirst;
  }
}

/** Whether a side has at most the granted levels, the best first. @param sign of the steps from price to price */
function isSide(numbers: unknown, sign: 1 | -1): boolean {
  if (!Array.isArray(numbers) || numbers.length % 2 !== 0 || numbers.length > DEPTH * 2) return false;
  for (let at = 0; at < numbers.length; at += 2) {
    if (!Number.isFinite(numbers[at]) || !(numbers[at + 1] > 0)) return false;
    if (at > 0 && !((numbers[at] - numbers[at - 2]) * sign > 0)) return false;
  }
  return true;
}

/** Where a break of these is one of a promise about `seq`. */
const SEQ_FAULTS: readonly BarFault[] = ["barCount", "barBack"];

class Bars extends Stream {
  readonly command: { readonly channel: string; readonly resolution: string; readonly last: number };
  readonly #checks: BarChecks;
  /** The period of the last tick; undefined before the first one. */
  #period: number | undefined;
  #mayFollowAtOnce = false;

  /** @param seconds length of a bar */
  constructor(seconds: number, report: Report) {
    super(report);
    this.command = { channel: "bar", resolution: RESOLUTIONS[seconds] ?? "", last: LAST_BARS };
    this.#checks = new BarChecks(seconds * 1e6, (fault, detail) =>
      report(SEQ_FAULTS.includes(fault) ? "seq" : "bars", `${BAR_FAULTS[fault]}: ${detail}`),
    );
  }

  get isAwaitingPast(): boolean {
    return this.#checks.isAwaitingPast;
  }

  override granted(message: Message): void {
    super.granted(message);
    if (message.resolution !== this.command.resolution) this.report("granted", `bars of ${message.resolution}`);
    this.#checks.grant(message.symbols[0][2]);
  }

  gap({ reason }: Message): void {
    this.#mayFollowAtOnce = true;
    this.#checks.gap(reason === "reset");
  }

  tick({ seq, eventTime, values }: StreamTick, frame: StreamFrame): boolean {
    if (values.length !== BAR_VALUES - 1) {
      this.report("bars", `a bar of ${values.length + 1} values`);
      return false;
    }
    if (this.#period !== undefined && frame.period !== this.#period) this.#checks.skip();
    else if (frame.number !== this.frame && !this.#mayFollowAtOnce) this.#checks.endBatch();
    if (frame.number !== this.frame && !this.#mayFollowAtOnce) this.checkInterval(frame);
    this.#mayFollowAtOnce = frame.bytes > FULL_FRAME;
    this.#checks.check(seq, [eventTime, ...(values as number[])]);
    [this.sentAt, this.frame, this.#period] = [frame.sentAt, frame.number, frame.period];
    // Its start is no age.
    return false;
  }
}

/** What is wanted of the first symbol of a client. */
export interface WantedStreams {
  readonly trades: boolean;
  readonly books: boolean;
  /** The length of bars, seconds; 0 for none. */
  readonly bars: number;
}

/** The trades, the book and the bars of the first symbol of a client, as far as they are wanted. */
export class Streams {
  #trades = 0;
  #books = 0;
  #barsRead = 0;
  /** By handle. */
  readonly granted = new Map<number, Stream>();
  readonly #wanted: readonly Stream[];
  readonly #tape: Tape;
  readonly #bars: Bars | undefined;
  readonly #report: Report;

  constructor({ trades, books, bars }: WantedStreams, report: Report) {
    this.#report = report;
    this.#tape = new Tape(report);
    this.#bars = bars > 0 ? new Bars(bars, report) : undefined;
    this.#wanted = [
      ...(trades ? [this.#tape] : []),
      ...(books ? [new Book(report)] : []),
      ...(this.#bars ? [this.#bars] : []),
    ];
  }

  get isGranted(): boolean {
    return this.granted.size === this.#wanted.length;
  }

  /** Whether past bars are still to come: no frame may be left out. */
  get isAwaitingPast(): boolean {
    return this.#bars?.isAwaitingPast === true;
  }

  /** Adds the counts of the connection. */
  addTo(counts: { trades: number; books: number; bars: number; missed: number }): void {
    counts.trades += this.#trades;
    counts.books += this.#books;
    counts.bars += this.#barsRead;
    counts.missed += this.#tape.missed;
  }

  /** The own keys of the commands that subscribe. */
  commands(): Stream["command"][] {
    return this.#wanted.map(({ command }) => command);
  }

  /** A message about the channel. @param interval the one that was asked for, ms */
  control(message: Record<string, unknown>, interval: number): void {
    const stream = this.#wanted.find(({ command }) => command.channel === message.channel);
    const content = message as unknown as Message;
    if (content.op === "status" && content.state === "gap") stream?.gap(content);
    if (content.op !== "subscribed" || !stream) return;
    if (content.symbols.length !== 1 || content.interval < interval)
      return this.#report("granted", `${message.channel}: ${content.symbols.length} symbols at ${content.interval} ms`);
    stream.granted(content);
    this.granted.set(stream.handle, stream);
  }

  /** @returns whether the age of the tick counts */
  tick(tick: StreamTick, frame: StreamFrame): boolean {
    const stream = this.granted.get(tick.handle);
    if (stream === this.#tape) this.#trades++;
    else if (stream instanceof Book) this.#books++;
    else this.#barsRead++;
    return stream?.tick(tick, frame) ?? false;
  }
}
