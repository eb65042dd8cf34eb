/**
 * All that one connection is subscribed to: a subscription for each interval and field list, and the patterns for
 * symbols that do not exist yet. A symbol is in one subscription at a time.
 */
import { isPattern, isSymbol } from "../../base/tick.ts";
import type { BusReader } from "../../bus/bus.ts";
import type { EncoderPool, TickEncoder } from "../../market/encoder.ts";
import type { TickFormat } from "../../market/format.ts";
import { Prefixes, prefixOf } from "../../market/prefixes.ts";
import { shown } from "../../protocol/command.ts";
import type { Settings } from "../../settings/settings.ts";
import type { BroadcastSink, Sink } from "../fanout/sink.ts";
import { type RowSet, Subscription, type SubscriptionParts } from "../fanout/subscription.ts";
import { AwaitedShare } from "./awaited_share.ts";
import type { CommandScheduler } from "./command_scheduler.ts";
import {
  type Ended,
  emptyGrant,
  type Granted,
  NO_AWAITED,
  NO_MEMORY,
  NO_PATTERNS,
  noRoom,
  type Refusal,
} from "./grants.ts";
import { type Grant, PatternSet } from "./patterns.ts";
import { batches, chunks, type Wanted } from "./wanted_rows.ts";

/** What a pattern costs, in symbols: all patterns of the connection are compared with it. */
const PATTERN_WORK = 5;
/** What it costs to check a symbol that stays as it is, in symbols. */
const CHECK_WORK = 0.1;

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
  readonly #patterns = new PatternSet();
  /** How many of the table's known rows have been compared with the patterns. */
  #known = 0;
  #count = 0;
  #interval = Number.POSITIVE_INFINITY;
  readonly #awaitedShare: AwaitedShare;

  constructor(parts: SubscriptionSetParts, sink: Sink & BroadcastSink, format: TickFormat) {
    this.#parts = parts;
    this.#sink = sink;
    this.#format = format;
    this.#awaitedShare = new AwaitedShare(parts.table);
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

  /** Whether symbols have appeared that have not been compared with the patterns. */
  get hasNewSymbols(): boolean {
    return this.#patterns.size > 0 && this.#known < this.#parts.table.knownCount;
  }

  /**
   * Grants what can be granted of some symbols and patterns, in steps. Between two steps ticks may be sent, and the
   * market may change; no other command may begin, and {@link matchNewSymbols} must not be called.
   * @returns what each step has granted; the last one is returned, the others are yielded
   */
  *subscribe(texts: readonly string[], grant: Grant): Generator<Granted, Granted, void> {
    const { table } = this.#parts;
    const unique = new Set(texts);
    let part = emptyGrant();
    this.#awaitedShare.reset();
    const prefixes = [...unique].filter(isPattern).map(prefixOf);
    const accepted: string[] = [];
    const widest = new Prefixes(prefixes);
    // In the order in which they were asked for: where there is no room for all, the last ones are rejected.
    const asked = prefixes.filter((prefix) => widest.of(prefix) === prefix);
    for (const chunk of chunks(asked, this.#stepSymbols)) {
      if (accepted.length > 0 || part.rejected.length > 0) {
        yield part;
        part = emptyGrant();
      }
      this.#wantPatterns(chunk, prefixes, grant, accepted, part);
    }
    const patterns = new Prefixes(accepted);
    // In one step: what is known now is granted here, and what appears later by {@link matchNewSymbols}.
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
    let isFirst = true;
    for (const batch of batches(names, patterns, table.symbols, sorted, awaited, this.#stepSymbols)) {
      if (!isFirst) {
        yield part;
        part = emptyGrant();
      }
      isFirst = false;
      if (batch instanceof Map) this.#move(batch, grant, part, refused);
      else this.#subscribeNames(batch, grant, part, refused);
      part.work += part.rows.length + (batch instanceof Map ? batch.size * CHECK_WORK : batch.length);
    }
    return part;
  }

  /**
   * Ends the subscription to some symbols and patterns, in steps, as {@link subscribe}.
   * @returns after each step what was ended; the last is returned, undefined when there was nothing to end, not even a
   *     pattern
   */
  *unsubscribe(texts: readonly string[]): Generator<Ended, Ended | undefined, void> {
    const { table } = this.#parts;
    const before = this.#patterns.size;
    const unique = new Set(texts);
    const patterns = new Prefixes([...unique].filter(isPattern).map(prefixOf));
    for (const chunk of chunks(patterns.list, this.#stepSymbols)) {
      const wanted = this.#patterns.wanted;
      for (const prefix of chunk) this.#patterns.unwant(prefix, false);
      this.#unfollowPatterns(wanted);
      yield { symbols: [], work: chunk.length * PATTERN_WORK };
    }
    const rows: number[] = [];
    for (const chunk of chunks([...unique].filter(isSymbol), this.#stepSymbols)) {
      for (const symbol of chunk) {
        if (patterns.of(symbol) !== undefined) continue;
        const row = table.rowOf(symbol);
        if (row >= 0) rows.push(row);
        // A known symbol has been compared with the patterns already; only one that is still to come needs an
        // exception.
        if (row < 0 || !table.hasTicked(row)) this.#patterns.unwant(symbol, true);
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
      this.#removeRows(new Set(chunk), (row) => {
        part.symbols.push(table.symbols[row]);
        this.#releaseRow(row);
      });
      this.#endEmpty();
      ended += part.symbols.length;
    }
    return ended === 0 && this.#patterns.size === before ? undefined : part;
  }

  /** Compares some of the symbols that have appeared with the patterns. @returns what was granted, by grant */
  matchNewSymbols(): Map<Grant, Granted> {
    const { table } = this.#parts;
    const matched = new Map<Grant, Wanted>();
    const end = Math.min(table.knownCount, this.#known + this.#stepSymbols);
    for (; this.#known < end; this.#known++) {
      const row = table.known[this.#known];
      const rule = this.#patterns.match(table.symbols[row]);
      if (!rule) continue;
      const rows = matched.get(rule.grant);
      if (rows) rows.set(row, `${rule.text}*`);
      else matched.set(rule.grant, new Map([[row, `${rule.text}*`]]));
    }
    const granting = new Map<Grant, Granted>();
    if (matched.size === 0) return granting;
    for (const row of this.#rows()) for (const rows of matched.values()) rows.delete(row);
    for (const [grant, rows] of matched) {
      if (rows.size === 0) continue;
      const part = emptyGrant();
      this.#move(rows, grant, part, new Set());
      granting.set(grant, part);
    }
    return granting;
  }

  /** Ends everything: the connection is closed. Nothing is sent any more; rows are released in steps. */
  close(): void {
    const { commands } = this.#parts;
    const before = this.#patterns.wanted;
    this.#patterns.clear();
    this.#unfollowPatterns(before);
    const rows: number[] = [];
    this.#removeRows({ size: this.#count, has: () => true }, (row) => rows.push(row));
    this.#endEmpty();
    const step = () => {
      for (const row of rows.splice(-commands.stepSymbols)) this.#releaseRow(row);
      return rows.length > 0;
    };
    commands.addFirst({ step });
  }

  get #stepSymbols(): number {
    return this.#parts.commands.stepSymbols;
  }

  /**
   * Adds prefixes to the patterns.
   * @param asked all prefixes of the command: those that a rejected one covers are rejected with it
   * @param accepted gets the prefixes that there was room for
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
      const before = this.#patterns.wanted;
      // Symbols that have appeared meanwhile have not been compared; without patterns there was nothing to compare.
      if (this.#patterns.size === 0) this.#known = table.knownCount;
      if (!this.#patterns.want(prefix, grant)) {
        for (const text of asked)
          if (text.startsWith(prefix)) part.rejected.push({ symbol: `${text}*`, ...NO_PATTERNS });
        continue;
      }
      accepted.push(prefix);
      bus.follow();
      this.#unfollowPatterns(before + 1);
    }
    part.work += prefixes.length * PATTERN_WORK;
  }

  /** Rows without a tick that are held already and that patterns match: they change their subscription as well. */
  #awaitedOf(patterns: Prefixes): Set<number> {
    const { table } = this.#parts;
    const rows = new Set<number>();
    if (patterns.list.length === 0 || table.awaitedRows === 0) return rows;
    for (const row of this.#rows())
      if (!table.hasTicked(row) && patterns.of(table.symbols[row]) !== undefined) rows.add(row);
    return rows;
  }

  #subscribeNames(names: readonly string[], grant: Grant, part: Granted, refused: Set<string>): void {
    const wanted: Wanted = new Map();
    const held: number[] = [];
    for (const text of names) {
      const refusal = this.#wantSymbol(text, wanted, held);
      // Cutting may leave half a character, which is no text on the wire.
      if (refusal) part.rejected.push({ symbol: text.slice(0, 64).toWellFormed(), ...refusal });
    }
    this.#move(wanted, grant, part, refused);
    for (const row of held) this.#parts.table.release(row);
  }

  /** Adds the held rows that patterns match to `rows`. */
  *#collectHeld(patterns: Prefixes, rows: number[]): Generator<Ended, void, void> {
    const { symbols } = this.#parts.table;
    let looked = 0;
    for (const row of this.#rows()) {
      if (patterns.of(symbols[row]) !== undefined) rows.push(row);
      if (++looked % (this.#stepSymbols * 8) === 0) yield { symbols: [], work: this.#stepSymbols * 8 * CHECK_WORK };
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
    const row =
      isNew && this.#awaitedShare.isUsedUp(this.#rows(), settings.maxAwaitedSymbols)
        ? -1
        : table.hold(symbol, settings.maxAwaitedSymbols, clock.micros());
    if (row < 0) return NO_AWAITED;
    if (isNew) this.#awaitedShare.add();
    held.push(row);
    wanted.set(row, symbol);
    return undefined;
  }

  /**
   * Moves rows into the grant's subscription, as many as there is room for, those that are held already first. Others
   * are rejected by the text that named them.
   * @param part gets the rows that were moved
   * @param refused texts that have been rejected already because there was no room
   */
  #move(wanted: Wanted, grant: Grant, part: Granted, refused: Set<string>): void {
    const { table, bus, counts, settings, scheduler, clock } = this.#parts;
    const refuse = (text: string, refusal: Refusal) => {
      if (refused.has(text)) return;
      refused.add(text);
      part.rejected.push({ symbol: text, ...refusal });
    };
    const moved = new Set<number>();
    this.#removeRows(wanted, (row) => moved.add(row));
    for (const [row, text] of wanted) {
      if (moved.has(row)) continue;
      if (this.#count + moved.size >= settings.maxSymbolsPerConnection) {
        refuse(text, noRoom(settings.maxSymbolsPerConnection));
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
          this.#releaseRow(row);
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
    // Its first flush would be in time now.
    const subscription = new Subscription(this.#sink, this.#parts, grant.interval, encoder, clock.millis());
    this.#subscriptions.set(key, subscription);
    this.#interval = Math.min(this.#interval, grant.interval);
    return subscription;
  }

  /**
   * Removes rows from the subscriptions; they stay held and followed until {@link #releaseRow}.
   * @param taken is called with each
   */
  #removeRows(rows: RowSet, taken: (row: number) => void): void {
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

  /** Closes the subscriptions that have no entries. */
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

  #releaseRow(row: number): void {
    this.#parts.bus.unfollow(this.#parts.table.symbols[row]);
    this.#parts.table.release(row);
  }

  /** The rows of all subscriptions. */
  *#rows(): Generator<number, void, void> {
    for (const subscription of this.#subscriptions.values())
      for (let index = 0; index < subscription.count; index++) yield subscription.rowAt(index);
  }

  #unfollowPatterns(before: number): void {
    for (let count = before; count > this.#patterns.wanted; count--) this.#parts.bus.unfollow();
  }
}
