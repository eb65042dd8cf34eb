/**
 * All that one connection is subscribed to: the rows that it holds, and the patterns for symbols that do not exist yet.
 * Its identity decides which symbols it may see, from which interval on, and how late.
 */
import { isPattern, isSymbol, SYMBOL_CHARACTERS } from "../../base/tick.ts";
import type { FrameFormat } from "../../market/frame_format.ts";
import { Prefixes, prefixOf } from "../../market/prefixes.ts";
import { shown } from "../../protocol/command.ts";
import type { Settings } from "../../settings/settings.ts";
import { VisibleRows, type VisibleRowsParts } from "../access/visible_rows.ts";
import type { BroadcastSink, Sink } from "../fanout/sink.ts";
import type { Subscription } from "../fanout/subscription.ts";
import { AwaitedShare } from "./awaited_share.ts";
import type { CommandScheduler } from "./command_scheduler.ts";
import { type Review, review } from "./entitlement_review.ts";
import {
  type Ended,
  emptyGranted,
  type Granted,
  NO_AWAITED,
  NO_MEMORY,
  NO_PATTERNS,
  NOT_ENTITLED,
  type Refusal,
  workOf,
} from "./grants.ts";
import { HeldRows, type HeldRowsParts } from "./held_rows.ts";
import { type Grant, PatternSet } from "./patterns.ts";
import { batches, chunks, type Wanted, WantedByInterval } from "./wanted_rows.ts";

/** What a pattern costs, in symbols: all patterns of the connection are compared with it. */
const PATTERN_WORK = 5;
/** What it costs to check a symbol that stays as it is, in symbols. */
const CHECK_WORK = 0.1;

/** What the subscription sets of all connections share. */
export interface SubscriptionSetParts extends HeldRowsParts, VisibleRowsParts {
  readonly settings: HeldRowsParts["settings"] & Pick<Settings, "maxAwaitedSymbols" | "maxSymbolsPerConnection">;
  readonly commands: CommandScheduler;
}

export class SubscriptionSet {
  readonly #parts: SubscriptionSetParts;
  readonly #patterns = new PatternSet();
  /** How many of the table's known rows have been compared with the patterns. */
  #known = 0;
  /** How many had been compared when the identity changed: the patterns may match these anew. */
  #compared = 0;
  /** How many are to be compared now. */
  #due = 0;
  readonly #awaitedShare: AwaitedShare;
  readonly #visible: VisibleRows;
  readonly #held: HeldRows;
  readonly #heldElsewhere: () => number;

  /** @param heldElsewhere how many symbols the connection holds in other channels */
  constructor(
    parts: SubscriptionSetParts,
    sink: Sink & BroadcastSink,
    format: FrameFormat,
    heldElsewhere: () => number = () => 0,
  ) {
    this.#parts = parts;
    this.#heldElsewhere = heldElsewhere;
    this.#awaitedShare = new AwaitedShare(parts.table);
    this.#visible = new VisibleRows(parts);
    this.#held = new HeldRows(parts, this.#visible, sink, format);
  }

  /** Which rows show symbols to the client; its identity is set here. */
  get visible(): VisibleRows {
    return this.#visible;
  }

  /** Symbols held. */
  get count(): number {
    return this.#held.count;
  }

  /** The shortest interval of them, ms; infinite where there are none. */
  get interval(): number {
    return this.#held.interval;
  }

  get subscriptions(): Iterable<Subscription> {
    return this.#held.subscriptions;
  }

  /** All symbols that have appeared until now are to be compared with the patterns. */
  noticeNewSymbols(): void {
    this.#due = this.#parts.table.knownCount;
  }

  /** Whether some of them have not been compared. */
  get hasNewSymbols(): boolean {
    return this.#patterns.size > 0 && this.#known < this.#due;
  }

  /** The symbols held, each with its delay, ms. */
  *seen(): Generator<[symbol: string, delay: number], void, void> {
    for (const row of this.#held.rows()) yield [this.#parts.table.symbols[row], this.#visible.delayOf(row)];
  }

  /** The most symbols that it may hold. */
  get maxSymbols(): number {
    const most = Math.min(this.#parts.settings.maxSymbolsPerConnection, this.#visible.maxSymbols);
    return Math.max(0, most - this.#heldElsewhere());
  }

  /**
   * Grants what can be granted of some symbols and patterns, in steps. Between two steps ticks may be sent, and the
   * market may change; no other command may begin, and {@link matchNewSymbols} must not be called.
   * @param last as in {@link Granted}
   * @returns what each step has granted; the last one is returned, the others are yielded
   */
  *subscribe(texts: readonly string[], grant: Grant, last = 0): Generator<Granted, Granted, void> {
    const { table } = this.#parts;
    const unique = new Set(texts);
    let part = emptyGranted(grant, grant.interval, last);
    this.#awaitedShare.reset();
    const prefixes = [...unique].filter(isPattern).map(prefixOf);
    const accepted: string[] = [];
    const widest = new Prefixes(prefixes);
    // In the order in which they were asked for: where there is no room for all, the last ones are rejected.
    const asked = prefixes.filter((prefix) => widest.of(prefix) === prefix);
    for (const chunk of chunks(asked, this.#stepSymbols)) {
      if (accepted.length > 0 || part.rejected.length > 0) {
        yield part;
        part = emptyGranted(grant, grant.interval, last);
      }
      this.#wantPatterns(chunk, prefixes, grant, accepted, part);
    }
    const patterns = new Prefixes(accepted);
    // In one step: what is known now is granted here, and what appears later by {@link matchNewSymbols}.
    const sorted = table.sortedKnown();
    const awaited = this.#awaitedOf(patterns);
    const isCovered = (symbol: string) => {
      // One that the client may not see is rejected, whether a pattern matches it or not.
      if (patterns.of(symbol) === undefined || !this.#visible.accessTo(symbol)) return false;
      const row = table.rowOf(symbol);
      return row >= 0 && (table.hasTicked(row) || awaited.has(row));
    };
    const names = [...unique].filter((text) => !isPattern(text) && !isCovered(text));
    // A pattern or symbol for which there is no room is rejected once.
    const refused = new Set<string>();
    let isFirst = true;
    const within = (prefix: string) => this.#visible.textsWithin(prefix);
    for (const batch of batches(names, patterns, table.symbols, sorted, awaited, within, this.#stepSymbols)) {
      if (!isFirst) {
        yield part;
        part = emptyGranted(grant, grant.interval, last);
      }
      isFirst = false;
      const isWanted = batch instanceof Map;
      const others = isWanted
        ? this.#subscribeMatches(batch, part, refused)
        : this.#subscribeNames(batch, part, refused);
      part.work += workOf(part) + (isWanted ? batch.size * CHECK_WORK : batch.length);
      for (const other of others) {
        yield part;
        part = other;
      }
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
        rows.push(...this.#visible.rowsOf(symbol));
        // A known symbol has been compared with the patterns already; only one that is still to come needs an
        // exception, and one that the client may see only later.
        if (row < 0 || !table.hasTicked(row) || !this.#visible.accessTo(symbol)) this.#patterns.unwant(symbol, true);
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
      this.#held.remove(new Set(chunk), (row) => {
        part.symbols.push(table.symbols[row]);
        this.#held.release(row);
      });
      this.#held.endEmpty();
      ended += part.symbols.length;
    }
    return ended === 0 && this.#patterns.size === before ? undefined : part;
  }

  /** Compares some of the noticed symbols with the patterns. @returns what was granted */
  matchNewSymbols(): readonly Granted[] {
    const { table } = this.#parts;
    const matched = new Map<Grant, Wanted>();
    const isNew = this.#known >= this.#compared;
    // A step counts what is granted: a hidden symbol must not show in where the answers are split.
    const end = Math.min(isNew ? this.#due : this.#compared, this.#known + 8 * this.#stepSymbols);
    let granted = 0;
    for (; this.#known < end && granted < this.#stepSymbols; this.#known++) {
      const row = table.known[this.#known];
      const rule = this.#patterns.match(table.symbols[row]);
      // One that the client may not see changes nothing, not even the order of the others.
      if (!rule || !this.#visible.accessTo(table.symbols[row])) continue;
      granted++;
      const rows = matched.get(rule.grant);
      if (rows) rows.set(row, `${rule.text}*`);
      else matched.set(rule.grant, new Map([[row, `${rule.text}*`]]));
    }
    // Hidden symbols that were compared before a review take no step of their own either.
    if (matched.size === 0) return isNew || this.#known < this.#compared ? [] : this.matchNewSymbols();
    const held = new Set<string>();
    for (const row of this.#held.rows()) held.add(table.symbols[row]);
    const all: Granted[] = [];
    for (const [grant, rows] of matched) {
      for (const row of rows.keys()) if (held.has(table.symbols[row])) rows.delete(row);
      // Of a symbol that has appeared since, each tick is still to be sent.
      const part = emptyGranted(grant, grant.interval, isNew ? Number.POSITIVE_INFINITY : 0);
      all.push(part, ...this.#subscribeMatches(rows, part, new Set()));
    }
    return all.filter(({ rows, rejected }) => rows.length > 0 || rejected.length > 0);
  }

  /**
   * The client's identity has changed: ends what it may not see any more, and moves what it may see in another way. In
   * steps, as {@link subscribe}. Afterwards the patterns match what is newly allowed.
   */
  review(): Review {
    this.#compared = Math.max(this.#compared, this.#known);
    this.#known = 0;
    this.noticeNewSymbols();
    return review(this.#parts.table, this.#visible, this.#held, this.#stepSymbols);
  }

  /** Ends everything: the connection is closed. Nothing is sent any more; rows are released in steps. */
  close(): void {
    const { commands } = this.#parts;
    const before = this.#patterns.wanted;
    this.#patterns.clear();
    this.#unfollowPatterns(before);
    const rows: number[] = [];
    this.#held.remove({ size: this.count, has: () => true }, (row) => rows.push(row));
    this.#held.endEmpty();
    const step = () => {
      for (const row of rows.splice(-commands.stepSymbols)) this.#held.release(row);
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
    for (const row of this.#held.rows())
      if (!table.hasTicked(row) && patterns.of(table.symbols[row]) !== undefined)
        rows.add(table.rowOf(table.symbols[row]));
    return rows;
  }

  /** @returns what was granted at longer intervals than `part`'s */
  #subscribeNames(names: readonly string[], part: Granted, refused: Set<string>): readonly Granted[] {
    const wanted = new WantedByInterval(part.grant);
    const held: number[] = [];
    for (const text of names) {
      const refusal = this.#wantSymbol(text, wanted, held);
      // Cutting may leave half a character, which is no text on the wire.
      if (refusal) part.rejected.push({ symbol: text.slice(0, 64).toWellFormed(), ...refusal });
    }
    const others = this.#move(wanted, part, refused);
    for (const row of held) this.#visible.release(row);
    return others;
  }

  /** Rows of known symbols that patterns match. @returns what was granted at longer intervals than `part`'s */
  #subscribeMatches(matches: Wanted, part: Granted, refused: Set<string>): readonly Granted[] {
    const { symbols } = this.#parts.table;
    const wanted = new WantedByInterval(part.grant);
    const held: number[] = [];
    for (const [live, text] of matches) {
      const access = this.#visible.accessTo(symbols[live]);
      if (!access) continue;
      const row = access.delay > 0 ? this.#visible.hold(symbols[live], access.delay) : live;
      if (row < 0) {
        if (!refused.has(text)) part.rejected.push({ symbol: text, ...NO_MEMORY });
        refused.add(text);
        continue;
      }
      wanted.add(row, text, access.interval);
      if (row !== live) held.push(row);
    }
    const others = this.#move(wanted, part, refused);
    for (const row of held) this.#visible.release(row);
    return others;
  }

  #move(wanted: WantedByInterval, part: Granted, refused: Set<string>): readonly Granted[] {
    const others: Granted[] = [];
    for (const [interval, rows] of wanted.byInterval) {
      const own = interval === part.interval ? part : emptyGranted(part.grant, interval, part.last);
      this.#held.move(rows, own, this.maxSymbols, refused);
      if (own === part) continue;
      own.work = workOf(own);
      others.push(own);
    }
    return others;
  }

  /** Adds the held rows that patterns match to `rows`. */
  *#collectHeld(patterns: Prefixes, rows: number[]): Generator<Ended, void, void> {
    const { symbols } = this.#parts.table;
    let checked = 0;
    for (const row of this.#held.rows()) {
      if (patterns.of(symbols[row]) !== undefined) rows.push(row);
      if (++checked % (this.#stepSymbols * 8) === 0) yield { symbols: [], work: this.#stepSymbols * 8 * CHECK_WORK };
    }
  }

  #wantSymbol(symbol: string, wanted: WantedByInterval, held: number[]): Refusal | undefined {
    if (!isSymbol(symbol))
      return {
        code: "invalid_symbol",
        message: `${shown(symbol)} is not 1 to 64 of ${SYMBOL_CHARACTERS} (or a prefix and *)`,
      };
    // Before anything that depends on whether the symbol exists.
    const access = this.#visible.accessTo(symbol);
    if (!access) return NOT_ENTITLED;
    const { table, settings } = this.#parts;
    const isNew = table.rowOf(symbol) < 0;
    const row =
      isNew && this.#awaitedShare.isUsedUp(this.#held.rows(), settings.maxAwaitedSymbols)
        ? -1
        : this.#visible.hold(symbol, access.delay, settings.maxAwaitedSymbols);
    if (row < 0) return isNew ? NO_AWAITED : NO_MEMORY;
    if (isNew) this.#awaitedShare.add();
    held.push(row);
    wanted.add(row, symbol, access.interval);
    return undefined;
  }

  #unfollowPatterns(before: number): void {
    for (let count = before; count > this.#patterns.wanted; count--) this.#parts.bus.unfollow();
  }
}
