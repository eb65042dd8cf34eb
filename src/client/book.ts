/**
 * The book: an entry for each symbol that is granted or wanted, and the check that the gateway keeps its promises. What
 * is checked belongs to one connection and starts afresh with the next; entries live on.
 */
import { MAX_FRAME_BYTES, type Status, type Subscribed, type Unsubscribed } from "../protocol/messages.ts";
import { FIELDS, type Field, fieldIndex } from "../tick.ts";
import type { Ages } from "./ages.ts";
import { type FrameReader, readFrame } from "./codec.ts";
import { Entry, type GatewayTime, type Link, NO_LINK } from "./entry.ts";
import type { QuoteState } from "./quote.ts";
import type { ClientTime } from "./time.ts";
import type { ViolationCounter } from "./violations.ts";

/** What one connection has granted of one symbol. */
interface Grant {
  readonly entry: Entry;
  /** The positions in {@link FIELDS} of the values in a tick. */
  positions: readonly number[];
  /** The seq of the last tick on this connection; 0 before the first. */
  seq: number;
  /** When the last tick was sent, microseconds since the Unix epoch. */
  sentAt: number;
  /** The number of the frame that the last tick was in. */
  frame: number;
  /** Whether the next tick is a snapshot: due at once, and it may repeat what was known. */
  snapshot: boolean;
  /** Whether nothing was said of its state since the grant: with the snapshot that means live. */
  untold: boolean;
  /** Whether a status said, since the last tick, that ticks were missed. */
  gap: boolean;
  /** Whether it said that the seq starts again. */
  reset: boolean;
}

export interface BookOptions {
  readonly time: ClientTime;
  readonly sync: GatewayTime;
  readonly ages: Ages;
  readonly violations: ViolationCounter;
  /** How much less than the interval may be between two ticks, ms. */
  readonly tolerance: number;
  /** A symbol was granted. */
  readonly granted: (entry: Entry) => void;
  /** A tick has come; `news`: what of the entry differs from before. @param now ms */
  readonly ticked: (entry: Entry, conflated: number, now: number, news: "none" | "values" | "state") => void;
  /** Other than by a tick, the entry has another state. */
  readonly turned: (entry: Entry) => void;
  readonly status: (entry: Entry, state: QuoteState | "gap", reason: string) => void;
  /** All ticks of a frame have been told. */
  readonly frame: (sentAt: number, ticks: number) => void;
}

/** Handles without a grant that are remembered, in case that the grant comes late. */
const MOST_STRAYS = 1_000;

export class Book implements FrameReader {
  /** By symbol: those that are granted, and those that are wanted. */
  readonly entries = new Map<string, Entry>();
  readonly counts = { frames: 0, ticks: 0, conflated: 0, lost: 0, gaps: 0, resets: 0 };
  readonly #options: BookOptions;
  readonly #byHandle = new Map<number, Grant>();
  readonly #bySymbol = new Map<string, Grant>();
  /** Handles that had ticks without being granted, and how many. */
  readonly #strays = new Map<number, number>();
  #link: Link = NO_LINK;
  /** Whether there is a connection: within a frame an owner may have ended it. */
  #isConnected = false;
  /** Of the frame that is read. */
  #sentAt = 0;
  #ticks = 0;
  #now = 0;
  #micros = 0;
  #gatewayMicros = 0;

  constructor(options: BookOptions) {
    this.#options = options;
  }

  /** The entry of a symbol that is wanted; a new one where there is none. */
  want(symbol: string): Entry {
    const found = this.entries.get(symbol);
    if (found) return found;
    const entry = new Entry(symbol, this.#options.sync);
    this.entries.set(symbol, entry);
    return entry;
  }

  /** Nobody wants the symbol any more: its entry stays only as long as it is granted. */
  release(symbol: string): void {
    if (!this.#bySymbol.has(symbol)) this.#drop(symbol);
  }

  /** A new connection: nothing is granted on it yet. */
  connected(): void {
    this.#isConnected = true;
    this.#link = { current: true, reason: "", since: 0 };
  }

  /** The connection is silent, or is heard again. */
  setCurrent(current: boolean, reason: string): void {
    const link = this.#link;
    if (link.current === current || link === NO_LINK) return;
    link.current = current;
    link.reason = reason;
    link.since = this.#options.sync.micros();
    for (const entry of this.entries.values())
      if (entry.link === link && entry.seq > 0 && (entry.told ?? "live") === "live") this.#options.turned(entry);
  }

  /** The connection is lost. */
  disconnected(reason: string): void {
    this.#isConnected = false;
    this.#byHandle.clear();
    this.#bySymbol.clear();
    this.#strays.clear();
    this.setCurrent(false, reason);
    this.#link.reason = reason;
    for (const [symbol, entry] of this.entries) if (entry.followers.length === 0) this.#drop(symbol);
  }

  granted({ symbols, interval, fields }: Subscribed): void {
    const positions = fields.map(fieldIndex);
    const isGranted = FIELDS.map((_, index) => positions.includes(index));
    for (const [symbol, handle] of symbols) {
      const grant = this.#grant(symbol, handle);
      const { entry } = grant;
      grant.positions = positions;
      grant.snapshot = grant.untold = true;
      entry.handle = handle;
      entry.interval = interval;
      entry.fields = fields as readonly Field[];
      // What is not granted will not be told any more.
      for (let index = 0; index < entry.values.length; index++) if (!isGranted[index]) entry.values[index] = Number.NaN;
      this.#options.granted(entry);
    }
  }

  ended({ symbols }: Unsubscribed): void {
    for (const symbol of symbols) {
      const grant = this.#bySymbol.get(symbol);
      if (!grant) continue;
      this.#bySymbol.delete(symbol);
      this.#byHandle.delete(grant.entry.handle);
      if (grant.entry.followers.length === 0) this.#drop(symbol);
    }
  }

  status({ symbols, state, reason = "", since }: Status): void {
    for (const symbol of symbols) {
      const grant = this.#bySymbol.get(symbol);
      if (!grant) continue;
      const { entry } = grant;
      const before = entry.state;
      if (state === "gap") {
        grant.gap = true;
        grant.reset ||= reason === "reset";
        this.counts[reason === "reset" ? "resets" : "gaps"]++;
      } else {
        grant.untold = false;
        entry.told = state;
        entry.since = since;
        entry.reason = reason;
      }
      this.#options.status(entry, state === "gap" ? state : entry.state, reason);
      if (entry.state !== before) this.#options.turned(entry);
    }
  }

  /** @throws BadMessage */
  frame(data: unknown): void {
    readFrame(data, this);
    if (this.#isConnected) this.#options.frame(this.#sentAt, this.#ticks);
  }

  begin(sentAt: number, bytes: number): void {
    this.counts.frames++;
    if (bytes > MAX_FRAME_BYTES) this.#options.violations.add("frameTooLarge", `${bytes} bytes`);
    this.#sentAt = sentAt;
    this.#ticks = 0;
    this.#now = this.#options.time.millis();
    this.#micros = this.#options.time.micros();
    this.#gatewayMicros = this.#options.sync.micros();
  }

  tick(handle: number, seq: number, eventTime: number, values: Float64Array, count: number): void {
    if (!this.#isConnected) return;
    this.#ticks++;
    const grant = this.#byHandle.get(handle);
    if (!grant) return this.#stray(handle);
    const { entry, positions } = grant;
    if (count !== positions.length)
      return this.#options.violations.add("wrongLength", `${entry.symbol}: ${count} of ${positions.length} values`);
    this.#check(grant, seq);
    const left = grant.seq > 0 && !grant.reset ? Math.max(0, seq - grant.seq - 1) : 0;
    const before = entry.state;
    let isNews = seq !== entry.seq || eventTime !== entry.eventTime;
    const known = entry.values;
    for (let index = 0; index < count; index++) {
      const at = positions[index];
      if (!Object.is(known[at], values[index])) {
        known[at] = values[index];
        isNews = true;
      }
    }
    const { counts } = this;
    counts.ticks++;
    entry.ticks++;
    if (grant.gap) {
      counts.lost += left;
      entry.lost += left;
    } else {
      counts.conflated += left;
      entry.conflated += left;
    }
    // The age of a snapshot is that of the market's rest, not of the way.
    if (!grant.snapshot) this.#options.ages.add(this.#gatewayMicros - eventTime);
    entry.seq = seq;
    entry.eventTime = eventTime;
    entry.sentAt = this.#sentAt;
    entry.receivedAt = this.#micros;
    entry.link = this.#link;
    const conflated = grant.gap ? 0 : left;
    if (grant.untold) {
      entry.told = undefined;
      entry.reason = "";
      entry.since = 0;
    }
    grant.seq = seq;
    grant.sentAt = this.#sentAt;
    grant.frame = counts.frames;
    grant.snapshot = grant.untold = grant.gap = grant.reset = false;
    this.#options.ticked(entry, conflated, this.#now, entry.state !== before ? "state" : isNews ? "values" : "none");
  }

  #check(grant: Grant, seq: number): void {
    if (grant.seq === 0) return;
    const { symbol, interval } = grant.entry;
    if (grant.frame === this.counts.frames) this.#broken("twiceInFrame", grant, seq);
    if (seq < grant.seq && !grant.reset) this.#broken("seqBack", grant, seq);
    if (grant.snapshot) return;
    if (seq === grant.seq && !grant.gap) this.#broken("seqRepeated", grant, seq);
    const apart = this.#sentAt - grant.sentAt;
    if (apart < (interval - this.#options.tolerance) * 1_000)
      this.#options.violations.add("tooOften", `${symbol}: ${apart / 1_000} ms apart, granted ${interval} ms`);
  }

  #broken(violation: "twiceInFrame" | "seqBack" | "seqRepeated", grant: Grant, seq: number): void {
    this.#options.violations.add(violation, `${grant.entry.symbol}: ${seq} after ${grant.seq}`);
  }

  #stray(handle: number): void {
    this.#options.violations.add("notGranted", `handle ${handle}`);
    const before = this.#strays.get(handle);
    if (before !== undefined || this.#strays.size < MOST_STRAYS) this.#strays.set(handle, (before ?? 0) + 1);
  }

  #grant(symbol: string, handle: number): Grant {
    const strays = this.#strays.get(handle);
    if (strays !== undefined) {
      this.#options.violations.add("beforeGrant", `${symbol}: ${strays} ticks of handle ${handle}`);
      this.#strays.delete(handle);
    }
    const found = this.#bySymbol.get(symbol);
    const holder = this.#byHandle.get(handle);
    if (found && found === holder) return found;
    if (found || holder)
      this.#options.violations.add(
        "handleChanged",
        `${symbol}: handle ${handle}, which ${holder?.entry.symbol ?? "nobody"} had`,
      );
    if (found) this.#byHandle.delete(found.entry.handle);
    if (holder) this.#bySymbol.delete(holder.entry.symbol);
    const entry = this.want(symbol);
    const grant = {
      entry,
      positions: [],
      seq: 0,
      sentAt: 0,
      frame: -1,
      snapshot: true,
      untold: true,
      gap: false,
      reset: false,
    };
    this.#bySymbol.set(symbol, grant);
    this.#byHandle.set(handle, grant);
    return grant;
  }

  #drop(symbol: string): void {
    const entry = this.entries.get(symbol);
    if (!entry) return;
    this.entries.delete(symbol);
    // Who still holds its quote sees that it is nobody's any more.
    entry.link = NO_LINK;
  }
}
