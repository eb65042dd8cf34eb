/**
 * All that one connection is subscribed to: a subscription for each interval and field list, and the rules for symbols
 * still to come. A symbol is in one subscription at a time.
 */

import { isPattern, isSymbol } from "../../base/tick.ts";
import type { BusReader } from "../../bus/bus.ts";
import type { EncoderPool, TickEncoder } from "../../market/encoder.ts";
import type { TickFormat } from "../../market/format.ts";
import { Prefixes, prefixOf } from "../../market/prefixes.ts";
import { prefixRange } from "../../market/symbol_index.ts";
import { shown } from "../../protocol/command.ts";
import type { Rejection } from "../../protocol/messages.ts";
import type { Settings } from "../../settings/settings.ts";
import type { BroadcastSink, Sink } from "../fanout/sink.ts";
import { type RowSet, Subscription, type SubscriptionParts } from "../fanout/subscription.ts";
import type { CommandScheduler } from "./command_scheduler.ts";
import { type Grant, MAX_PATTERNS, PatternSet } from "./patterns.ts";

type Refusal = Omit<Rejection, "symbol">;
/** Rows that are wanted, each with the text that it was wanted by: a symbol or a pattern. */
type Wanted = Map<number, string>;

/** What one step of a subscribe came to. */
export interface Granted {
  readonly rows: number[];
  readonly rejected: Rejection[];
  /** What it took, in symbols. */
  work: number;
}

/** What one step of an unsubscribe came to. */
export interface Ended {
  readonly symbols: string[];
  /** What it took, in symbols. */
  work: number;
}

const NO_MEMORY: Refusal = { code: "too_many_symbols", message: "the gateway holds as many symbols as its memory can" };

/** What a pattern takes, in symbols: the rules are gone through for it. */
const PATTERN_WORK = 5;
/** What it takes to look at a symbol that is then left as it is, in symbols. */
const LOOK_WORK = 0.1;

/** What the subscription sets of all connections share. */
export interface SubscriptionSetParts extends SubscriptionParts {
  readonly settings: SubscriptionParts["settings"] & Pick<Settings, "maxAwaitedSymbols" | "maxSymbolsPerConnection">;
  readonly bus: BusReader;
  readonly encoders: EncoderPool;
  readonly commands: CommandScheduler;
}

export class SubscriptionSet {
  readonly #parts: SubscriptionSetParts;
  readonly #sink: Sink & BroadcastSink;
  readonly #format: TickFormat;
  readonly #subscriptions = new Map<string, Subscription<TickEncoder>>();
  readonly #rules = new PatternSet();
  /** How many of the table's known rows the rules have been asked about. */
  #known = 0;
  #count = 0;
  #interval = Number.POSITIVE_INFINITY;
  /** Symbols without a tick that are held, as far as the command under way has asked. */
  #awaited: number | undefined;

  constructor(parts: SubscriptionSetParts, sink: Sink & BroadcastSink, format: TickFormat) {
    this.#parts = parts;
    this.#sink = sink;
    this.#format = format;
  }

  /** Symbols held. */
  get count(): number {
    return this.#count;
  }

  /** The shortest interval of them, ms; infinite where there are none. */
  get interval(): number {
    return this.#interval;
  }

  get subscriptions(): Iterable<Subscription<TickEncoder>> {
    return this.#subscriptions.values();
  }

  /** Whether symbols have appeared that a rule has not been asked about. */
  get hasNewSymbols(): boolean {
    return this.#rules.size > 0 && this.#known < this.#parts.table.knownCount;
  }

  /**
   * Grants what can be granted of some symbols and patterns, in steps. Between two steps ticks may be sent, and the
   * market may change; no other command may begin, and {@link matchNewSymbols} must not be called.
   * @returns after each step what it came to; the last is returned
   */
  *subscribe(texts: readonly string[], grant: Grant): Generator<Granted, Granted, void> {
    const { table } = this.#parts;
    const unique = new Set(texts);
    let part = granted();
    this.#awaited = undefined;
    const prefixes = [...unique].filter(isPattern).map(prefixOf);
    const accepted: string[] = [];
    const widest = new Prefixes(prefixes);
    // In the order in which they were asked for: where there is no room for all, the last ones are rejected.
    const asked = prefixes.filter((prefix) => widest.of(prefix) === prefix);
    for (const chunk of chunks(asked, this.#stepSymbols)) {
      if (accepted.length > 0 || part.rejected.length > 0) {
        yield part;
        part = granted();
      }
      this.#wantPatterns(chunk, prefixes, grant, accepted, part);
    }
    const patterns = new Prefixes(accepted);
    // In one step: what is known now comes by the patterns, and what appears later by meeting the rules.
    const sorted = table.sortedKnown();
    const awaited = this.#awaitedOf(patterns);
    const isCovered = (symbol: string) => {
      if (patterns.of(symbol) === undefined) return false;
      const row = table.rowOf(symbol);
      return row >= 0 && (table.hasTicked(row) || awaited.has(row));
    };
    const names = [...unique].filter((text) => !isPattern(text) && !isCovered(text));
    // A pattern or symbol for which there is no room is rejected once.
    const refused = new Set<string>();
    const batches = this.#batches(names, patterns, sorted, awaited);
    for (let next = batches.next(); !next.done; ) {
      const batch = next.value;
      if (batch instanceof Map) this.#move(batch, grant, part, refused);
      else this.#subscribeNames(batch, grant, part, refused);
      part.work += part.rows.length + ("size" in batch ? batch.size * LOOK_WORK : batch.length);
      next = batches.next();
      if (next.done) break;
      yield part;
      part = granted();
    }
    return part;
  }

  /**
   * Ends what is held of some symbols and patterns, in steps, as {@link subscribe}.
   * @returns after each step what was ended; the last is returned, undefined when there was nothing to end, not even a pattern
   */
  *unsubscribe(texts: readonly string[]): Generator<Ended, Ended | undefined, void> {
    const { table } = this.#parts;
    const before = this.#rules.size;
    const unique = new Set(texts);
    const patterns = new Prefixes([...unique].filter(isPattern).map(prefixOf));
    for (const chunk of chunks(patterns.list, this.#stepSymbols)) {
      const wanted = this.#rules.patterns;
      for (const prefix of chunk) this.#rules.unwant(prefix, false);
      this.#unfollowPatterns(wanted);
      yield { symbols: [], work: chunk.length * PATTERN_WORK };
    }
    const rows: number[] = [];
    for (const chunk of chunks([...unique].filter(isSymbol), this.#stepSymbols)) {
      for (const symbol of chunk) {
        if (patterns.of(symbol) !== undefined) continue;
        const row = table.rowOf(symbol);
        if (row >= 0) rows.push(row);
        // A known symbol has been asked about already; only one still to come needs a rule.
        if (row < 0 || !table.hasTicked(row)) this.#rules.unwant(symbol, true);
      }
      yield { symbols: [], work: chunk.length };
    }
    if (patterns.list.length > 0) yield* this.#collectHeld(patterns, rows);
    let part: Ended = { symbols: [], work: 0 };
    let ended = 0;
    for (const chunk of chunks(rows, this.#stepSymbols)) {
      if (part.symbols.length > 0) {
        yield part;
        part = { symbols: [], work: 0 };
      }
      part.work += chunk.length;
      this.#take(new Set(chunk), (row) => {
        part.symbols.push(table.symbols[row]);
        this.#drop(row);
      });
      this.#endEmpty();
      ended += part.symbols.length;
    }
    return ended === 0 && this.#rules.size === before ? undefined : part;
  }

  /** Asks the rules about some of the symbols that have appeared. Returns what was granted, by grant. */
  matchNewSymbols(): Map<Grant, Granted> {
    const { table } = this.#parts;
    const met = new Map<Grant, Wanted>();
    const end = Math.min(table.knownCount, this.#known + this.#stepSymbols);
    for (; this.#known < end; this.#known++) {
      const row = table.known[this.#known];
      const rule = this.#rules.match(table.symbols[row]);
      if (!rule) continue;
      const rows = met.get(rule.grant);
      if (rows) rows.set(row, `${rule.text}*`);
      else met.set(rule.grant, new Map([[row, `${rule.text}*`]]));
    }
    const granting = new Map<Grant, Granted>();
    if (met.size === 0) return granting;
    for (const row of this.#rows()) for (const rows of met.values()) rows.delete(row);
    for (const [grant, rows] of met) {
      if (rows.size === 0) continue;
      const part = granted();
      this.#move(rows, grant, part, new Set());
      granting.set(grant, part);
    }
    return granting;
  }

  /** Gives up everything: the connection has ended. Nothing is sent any more; rows are released in steps. */
  close(): void {
    const { commands } = this.#parts;
    const before = this.#rules.patterns;
    this.#rules.clear();
    this.#unfollowPatterns(before);
    const rows: number[] = [];
    this.#take({ size: this.#count, has: () => true }, (row) => rows.push(row));
    this.#endEmpty();
    const step = () => {
      for (const row of rows.splice(-commands.stepSymbols)) this.#drop(row);
      return rows.length > 0;
    };
    commands.addFirst({ step });
  }

  get #stepSymbols(): number {
    return this.#parts.commands.stepSymbols;
  }

  /**
   * Makes rules of prefixes.
   * @param asked all prefixes of the command: each that a rejected one covers is rejected with it
   * @param accepted what those are added to that there was room for
   */
  #wantPatterns(
    prefixes: readonly string[],
    asked: readonly string[],
    grant: Grant,
    accepted: string[],
    part: Granted,
  ): void {
    const { table, bus } = this.#parts;
    for (const prefix of prefixes) {
      const before = this.#rules.patterns;
      // Symbols that have appeared meanwhile have not been asked about: only without rules there was nothing to ask.
      if (this.#rules.size === 0) this.#known = table.knownCount;
      if (!this.#rules.want(prefix, grant)) {
        for (const text of asked)
          if (text.startsWith(prefix)) part.rejected.push({ symbol: `${text}*`, ...MOST_PATTERNS });
        continue;
      }
      accepted.push(prefix);
      bus.follow();
      this.#unfollowPatterns(before + 1);
    }
    part.work += prefixes.length * PATTERN_WORK;
  }

  /** Rows without a tick that are held already and that patterns match: they are moved as well. */
  #awaitedOf(patterns: Prefixes): Set<number> {
    const { table } = this.#parts;
    const rows = new Set<number>();
    if (patterns.list.length === 0 || table.awaitedRows === 0) return rows;
    for (const row of this.#rows())
      if (!table.hasTicked(row) && patterns.of(table.symbols[row]) !== undefined) rows.add(row);
    return rows;
  }

  /** What a subscribe is about, a step's worth at a time: names, then rows that patterns match. Nothing is changed here. */
  *#batches(
    names: readonly string[],
    patterns: Prefixes,
    sorted: Int32Array,
    awaited: ReadonlySet<number>,
  ): Generator<readonly string[] | Wanted, void, void> {
    yield* chunks(names, this.#stepSymbols);
    let wanted: Wanted = new Map();
    for (const [row, prefix] of this.#matches(patterns, sorted, awaited)) {
      wanted.set(row, `${prefix}*`);
      if (wanted.size < this.#stepSymbols) continue;
      yield wanted;
      wanted = new Map();
    }
    if (wanted.size > 0) yield wanted;
  }

  *#matches(
    patterns: Prefixes,
    sorted: Int32Array,
    awaited: ReadonlySet<number>,
  ): Generator<[row: number, prefix: string], void, void> {
    const { symbols } = this.#parts.table;
    for (const row of awaited) yield [row, patterns.of(symbols[row]) as string];
    for (const prefix of patterns.list) {
      const [from, to] = prefixRange(symbols, sorted, prefix);
      for (let index = from; index < to; index++) yield [sorted[index], prefix];
    }
  }

  #subscribeNames(names: readonly string[], grant: Grant, part: Granted, refused: Set<string>): void {
    const wanted: Wanted = new Map();
    const held: number[] = [];
    for (const text of names) {
      const refusal = this.#wantSymbol(text, wanted, held);
      // What is cut off may leave half a character, which is no text on the wire.
      if (refusal) part.rejected.push({ symbol: text.slice(0, 64).toWellFormed(), ...refusal });
    }
    this.#move(wanted, grant, part, refused);
    for (const row of held) this.#parts.table.release(row);
  }

  /** Adds the rows held that patterns match to `rows`. */
  *#collectHeld(patterns: Prefixes, rows: number[]): Generator<Ended, void, void> {
    const { symbols } = this.#parts.table;
    let looked = 0;
    for (const row of this.#rows()) {
      if (patterns.of(symbols[row]) !== undefined) rows.push(row);
      if (++looked % (this.#stepSymbols * 8) === 0) yield { symbols: [], work: this.#stepSymbols * 8 * LOOK_WORK };
    }
  }

  #wantSymbol(symbol: string, wanted: Wanted, held: number[]): Refusal | undefined {
    if (!isSymbol(symbol))
      return {
        code: "invalid_symbol",
        message: `${shown(symbol)} is not 1 to 64 of A-Z 0-9 . _ - : (or a prefix and *)`,
      };
    const { table, settings, clock } = this.#parts;
    const isNew = table.rowOf(symbol) < 0;
    const row = isNew && this.#hasAwaitedShare() ? -1 : table.hold(symbol, settings.maxAwaitedSymbols, clock.micros());
    if (row < 0) return { code: "too_many_symbols", message: "the gateway awaits as many unknown symbols as it may" };
    if (isNew && this.#awaited !== undefined) this.#awaited++;
    held.push(row);
    wanted.set(row, symbol);
    return undefined;
  }

  /**
   * Whether this connection awaits as many symbols as it may: as many as there is still room for. So there is always some
   * for others, however many connections name symbols that never tick.
   */
  #hasAwaitedShare(): boolean {
    const { table, settings } = this.#parts;
    // Counted once a command: a command may name thousands.
    if (this.#awaited === undefined) {
      this.#awaited = 0;
      for (const row of this.#rows()) if (!table.hasTicked(row)) this.#awaited++;
    }
    return this.#awaited >= settings.maxAwaitedSymbols - table.awaitedRows;
  }

  #full(): Refusal {
    const { maxSymbolsPerConnection } = this.#parts.settings;
    return { code: "too_many_symbols", message: `a connection may hold ${maxSymbolsPerConnection} symbols` };
  }

  /**
   * Moves rows into the grant's subscription, as many as there is room for: what is held already comes first, and
   * what there is no room for is rejected by the text that it was wanted by.
   * @param part what the rows that were moved are added to
   * @param refused texts that have been rejected for want of room
   */
  #move(wanted: Wanted, grant: Grant, part: Granted, refused: Set<string>): void {
    const { table, bus, counts, settings, scheduler, clock } = this.#parts;
    const refuse = (text: string, refusal: Refusal) => {
      if (refused.has(text)) return;
      refused.add(text);
      part.rejected.push({ symbol: text, ...refusal });
    };
    const moved = new Set<number>();
    this.#take(wanted, (row) => moved.add(row));
    for (const [row, text] of wanted) {
      if (moved.has(row)) continue;
      if (this.#count + moved.size >= settings.maxSymbolsPerConnection) {
        refuse(text, this.#full());
        continue;
      }
      table.hold(table.symbols[row], Number.POSITIVE_INFINITY, clock.micros());
      bus.follow(table.symbols[row]);
      moved.add(row);
    }
    if (moved.size > 0) {
      const subscription = this.#subscription(grant);
      if (subscription.reserve(moved.size)) {
        subscription.add(moved, clock.millis());
        this.#count += moved.size;
        counts.subscriptions += moved.size;
        scheduler.scheduleNow(subscription);
        for (const row of moved) part.rows.push(row);
      } else {
        for (const row of moved) {
          refuse(wanted.get(row) as string, NO_MEMORY);
          this.#drop(row);
        }
      }
    }
    this.#endEmpty();
  }

  #subscription(grant: Grant): Subscription<TickEncoder> {
    const key = `${grant.interval} ${grant.positions}`;
    const found = this.#subscriptions.get(key);
    if (found) return found;
    const { encoders, clock } = this.#parts;
    const encoder = encoders.acquire(this.#format, grant.positions);
    // Its first turn would be in time now.
    const subscription = new Subscription(this.#sink, this.#parts, grant.interval, encoder, clock.millis());
    this.#subscriptions.set(key, subscription);
    this.#interval = Math.min(this.#interval, grant.interval);
    return subscription;
  }

  /** Takes rows out of the subscriptions; they stay held and followed until {@link #drop}. @param taken is called with each */
  #take(rows: RowSet, taken: (row: number) => void): void {
    if (rows.size === 0 || this.#count === 0) return;
    const { counts, clock } = this.#parts;
    const now = clock.millis();
    for (const subscription of this.#subscriptions.values())
      subscription.remove(rows, now, (row) => {
        this.#count--;
        counts.subscriptions--;
        taken(row);
      });
  }

  /** Ends the subscriptions that hold nothing. */
  #endEmpty(): void {
    const { encoders, scheduler } = this.#parts;
    for (const [key, subscription] of this.#subscriptions) {
      if (subscription.count > 0) continue;
      subscription.close();
      scheduler.cancel(subscription);
      encoders.release(subscription.encoder);
      this.#subscriptions.delete(key);
    }
    this.#interval = Number.POSITIVE_INFINITY;
    for (const { interval } of this.#subscriptions.values()) this.#interval = Math.min(this.#interval, interval);
  }

  #drop(row: number): void {
    this.#parts.bus.unfollow(this.#parts.table.symbols[row]);
    this.#parts.table.release(row);
  }

  /** The rows held. */
  *#rows(): Generator<number, void, void> {
    for (const subscription of this.#subscriptions.values())
      for (let index = 0; index < subscription.count; index++) yield subscription.rowAt(index);
  }

  #unfollowPatterns(before: number): void {
    for (let count = before; count > this.#rules.patterns; count--) this.#parts.bus.unfollow();
  }
}

const MOST_PATTERNS: Refusal = { code: "too_many_symbols", message: `a connection may hold ${MAX_PATTERNS} patterns` };

function granted(): Granted {
  return { rows: [], rejected: [], work: 0 };
}

/** Parts of a list, each of at most so many elements. */
function* chunks<T>(list: readonly T[], size: number): Generator<readonly T[], void, void> {
  for (let from = 0; from < list.length; from += size) yield list.slice(from, from + size);
}
