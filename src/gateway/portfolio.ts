/**
 * All that one connection is subscribed to: a subscription for each interval and field list, and the rules for symbols
 * still to come. A symbol is in one subscription at a time.
 */
import type { TickFormat } from "../market/format.ts";
import { shown } from "../protocol/command.ts";
import type { Rejection } from "../protocol/messages.ts";
import { isPattern, isSymbol } from "../tick.ts";
import type { GatewayContext } from "./context.ts";
import { type Grant, MAX_RULES, Rules } from "./rules.ts";
import { type RowSet, Subscription, type Way } from "./subscription.ts";

/** Where half of the awaited symbols are taken, a connection may have this part of them: one in so many. */
const AWAITED_SHARES = 8;

type Refusal = Omit<Rejection, "symbol">;
/** Rows that are wanted, each with the text that it was wanted by: a symbol or a pattern. */
type Wanted = Map<number, string>;

/** What a subscribe came to. */
export interface Granted {
  readonly rows: number[];
  readonly rejected: Rejection[];
}

const NO_MEMORY: Refusal = { code: "too_many_symbols", message: "the gateway holds as many symbols as its memory can" };

export class Portfolio {
  readonly #context: GatewayContext;
  readonly #way: Way;
  readonly #format: TickFormat;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #rules = new Rules();
  /** How many of the table's known rows the rules have been asked about. */
  #known = 0;
  #count = 0;
  #interval = Number.POSITIVE_INFINITY;
  /** Symbols without a tick that are held, as far as the command under way has asked. */
  #awaited: number | undefined;

  constructor(context: GatewayContext, way: Way, format: TickFormat) {
    this.#context = context;
    this.#way = way;
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

  get subscriptions(): Iterable<Subscription> {
    return this.#subscriptions.values();
  }

  /** Whether symbols have appeared that a rule has not been asked about. */
  get outdated(): boolean {
    return this.#rules.size > 0 && this.#known < this.#context.table.knownCount;
  }

  /** Grants what can be granted of some symbols and patterns. */
  subscribe(texts: readonly string[], grant: Grant): Granted {
    const rejected: Rejection[] = [];
    const wanted: Wanted = new Map();
    const held: number[] = [];
    this.#awaited = undefined;
    for (const text of new Set(texts)) {
      const refusal = isPattern(text)
        ? this.#wantPattern(text.slice(0, -1), grant, wanted)
        : this.#wantSymbol(text, wanted, held);
      // What is cut off may leave half a character, which is no text on the wire.
      if (refusal) rejected.push({ symbol: text.slice(0, 64).toWellFormed(), ...refusal });
    }
    const rows = this.#move(wanted, grant, rejected);
    for (const row of held) this.#context.table.release(row);
    return { rows, rejected };
  }

  /**
   * Ends what is held of some symbols and patterns.
   * @returns the symbols that were ended; undefined when there was nothing to end, not even a pattern
   */
  unsubscribe(texts: readonly string[]): string[] | undefined {
    const { table } = this.#context;
    const rows = new Set<number>();
    const rulesBefore = this.#rules.size;
    for (const text of texts) {
      if (isPattern(text)) this.#unwantPattern(text.slice(0, -1), rows);
      else if (isSymbol(text)) {
        const row = table.rowOf(text);
        if (row >= 0) rows.add(row);
        // A known symbol has been asked about already; only one still to come needs a rule.
        if (row < 0 || !table.hasTicked(row)) this.#rules.unwant(text, true);
      }
    }
    const ended: string[] = [];
    this.#remove(rows, (row) => ended.push(table.symbols[row]));
    return ended.length === 0 && this.#rules.size === rulesBefore ? undefined : ended;
  }

  /** Asks the rules about symbols that have appeared. Returns what was granted, by grant. */
  meet(): Map<Grant, Granted> {
    const { table } = this.#context;
    const met = new Map<Grant, Wanted>();
    for (; this.#known < table.knownCount; this.#known++) {
      const row = table.known[this.#known];
      const rule = this.#rules.match(table.symbols[row]);
      if (!rule) continue;
      const rows = met.get(rule.grant);
      if (rows) rows.set(row, `${rule.text}*`);
      else met.set(rule.grant, new Map([[row, `${rule.text}*`]]));
    }
    const granted = new Map<Grant, Granted>();
    if (met.size === 0) return granted;
    const held = this.#held();
    for (const [grant, rows] of met) {
      for (const row of rows.keys()) if (held.has(row)) rows.delete(row);
      if (rows.size === 0) continue;
      const rejected: Rejection[] = [];
      granted.set(grant, { rows: this.#move(rows, grant, rejected), rejected });
    }
    return granted;
  }

  /** Gives up everything: the connection has ended. */
  close(): void {
    const before = this.#rules.patterns;
    this.#rules.clear();
    this.#unfollowPatterns(before);
    this.#remove(this.#held(), () => {});
  }

  #wantPattern(prefix: string, grant: Grant, wanted: Wanted): Refusal | undefined {
    const { table, bus } = this.#context;
    const before = this.#rules.patterns;
    // Symbols that have appeared meanwhile have not been asked about: only without rules there was nothing to ask.
    if (this.#rules.size === 0) this.#known = table.knownCount;
    if (!this.#rules.want(prefix, grant))
      return { code: "too_many_symbols", message: `a connection may hold ${MAX_RULES} patterns` };
    bus.follow();
    this.#unfollowPatterns(before + 1);
    const want = (row: number) => {
      if (table.symbols[row].startsWith(prefix)) wanted.set(row, `${prefix}*`);
    };
    for (let index = 0; index < table.knownCount; index++) want(table.known[index]);
    // Those that were named and are still to come are moved as well.
    for (const row of this.#held()) want(row);
    return undefined;
  }

  #unwantPattern(prefix: string, rows: Set<number>): void {
    const { symbols } = this.#context.table;
    const before = this.#rules.patterns;
    this.#rules.unwant(prefix, false);
    this.#unfollowPatterns(before);
    for (const row of this.#held()) if (symbols[row].startsWith(prefix)) rows.add(row);
  }

  #wantSymbol(symbol: string, wanted: Wanted, held: number[]): Refusal | undefined {
    if (!isSymbol(symbol))
      return {
        code: "invalid_symbol",
        message: `${shown(symbol)} is not 1 to 64 of A-Z 0-9 . _ - : (or a prefix and *)`,
      };
    const { table, settings, clock } = this.#context;
    const isShareTaken = table.rowOf(symbol) < 0 && this.#hasAwaitedShare(held);
    const row = isShareTaken ? -1 : table.hold(symbol, settings.maxAwaitedSymbols, clock.micros());
    if (row < 0) return { code: "too_many_symbols", message: "the gateway awaits as many unknown symbols as it may" };
    held.push(row);
    wanted.set(row, symbol);
    return undefined;
  }

  /**
   * Whether this connection awaits as many symbols as it may where many are awaited: one that names thousands that
   * never tick must leave some to the others.
   * @param held rows that the command under way holds besides
   */
  #hasAwaitedShare(held: readonly number[]): boolean {
    const { table, settings } = this.#context;
    if (table.awaitedRows * 2 < settings.maxAwaitedSymbols) return false;
    // Counted once a command: a command may name thousands.
    if (this.#awaited === undefined) {
      const isAwaited = (row: number) => !table.hasTicked(row);
      this.#awaited = held.filter(isAwaited).length;
      for (const subscription of this.#subscriptions.values())
        for (let index = 0; index < subscription.count; index++)
          if (isAwaited(subscription.rowAt(index))) this.#awaited++;
    } else this.#awaited++;
    return this.#awaited >= settings.maxAwaitedSymbols / AWAITED_SHARES;
  }

  #full(): Refusal {
    const { maxSymbolsPerConnection } = this.#context.settings;
    return { code: "too_many_symbols", message: `a connection may hold ${maxSymbolsPerConnection} symbols` };
  }

  /**
   * Moves rows into the grant's subscription, as many as there is room for: what is held already comes first, and
   * what there is no room for is rejected by the text that it was wanted by.
   * @returns the rows that were moved
   */
  #move(wanted: Wanted, grant: Grant, rejected: Rejection[]): number[] {
    const { table, bus, counts, settings, pacer, clock } = this.#context;
    const moved = new Set<number>();
    const refused = new Set<string>();
    // Followed anew before the old is given up, so that a row never has nobody waiting for it in between.
    const hold = (row: number) => {
      table.hold(table.symbols[row], Number.POSITIVE_INFINITY, clock.micros());
      bus.follow(table.symbols[row]);
    };
    for (const row of wanted.keys()) hold(row);
    this.#remove(wanted, (row) => moved.add(row));
    for (const [row, text] of wanted) {
      if (moved.has(row)) continue;
      if (this.#count + moved.size < settings.maxSymbolsPerConnection) {
        moved.add(row);
        continue;
      }
      refused.add(text);
      this.#drop(row);
    }
    for (const symbol of refused) rejected.push({ symbol, ...this.#full() });
    if (moved.size === 0) return [];
    const subscription = this.#subscription(grant);
    if (!subscription.reserve(moved.size)) {
      for (const row of moved) this.#drop(row);
      for (const text of new Set(wanted.values()))
        if (!refused.has(text)) rejected.push({ symbol: text, ...NO_MEMORY });
      this.#endEmpty();
      return [];
    }
    subscription.add(moved, clock.millis());
    this.#count += moved.size;
    counts.subscriptions += moved.size;
    pacer.hurry(subscription);
    return [...moved];
  }

  #subscription(grant: Grant): Subscription {
    const key = `${grant.interval} ${grant.positions}`;
    const found = this.#subscriptions.get(key);
    if (found) return found;
    const { encoders, clock } = this.#context;
    const encoder = encoders.acquire(this.#format, grant.positions);
    // Its first turn would be in time now.
    const subscription = new Subscription(this.#way, this.#context, grant, encoder, clock.millis());
    this.#subscriptions.set(key, subscription);
    this.#interval = Math.min(this.#interval, grant.interval);
    return subscription;
  }

  #remove(rows: RowSet, removed: (row: number) => void): void {
    if (rows.size === 0) return;
    const { counts, clock } = this.#context;
    const now = clock.millis();
    for (const subscription of this.#subscriptions.values())
      subscription.remove(rows, now, (row) => {
        this.#count--;
        counts.subscriptions--;
        removed(row);
        this.#drop(row);
      });
    this.#endEmpty();
  }

  /** Ends the subscriptions that hold nothing. */
  #endEmpty(): void {
    const { encoders, pacer } = this.#context;
    for (const [key, subscription] of this.#subscriptions) {
      if (subscription.count > 0) continue;
      subscription.close();
      pacer.cancel(subscription);
      encoders.release(subscription.encoder);
      this.#subscriptions.delete(key);
    }
    this.#interval = Number.POSITIVE_INFINITY;
    for (const { interval } of this.#subscriptions.values()) this.#interval = Math.min(this.#interval, interval);
  }

  #drop(row: number): void {
    this.#context.bus.unfollow(this.#context.table.symbols[row]);
    this.#context.table.release(row);
  }

  #held(): Set<number> {
    const rows = new Set<number>();
    for (const subscription of this.#subscriptions.values())
      for (let index = 0; index < subscription.count; index++) rows.add(subscription.rowAt(index));
    return rows;
  }

  #unfollowPatterns(before: number): void {
    for (let count = before; count > this.#rules.patterns; count--) this.#context.bus.unfollow();
  }
}
