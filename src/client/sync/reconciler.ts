/**
 * Compares what the gateway has been asked for with the demand, and makes the next command that reduces the difference.
 * No commands are queued: a demand that changes ten times before the next command is sent needs one command.
 *
 * How a gateway applies commands: the last subscribe that names or matches a symbol decides; a pattern replaces all
 * symbols and narrower patterns under it; an unsubscribe ends them, and excludes them from wider patterns.
 */
import type { Subscribe, Unsubscribe } from "../../protocol/messages.ts";
import type { Demand } from "./demand.ts";
import { nearest } from "./selection.ts";
import { demandOf, intervalOf, type Spec, UNWANTED } from "./spec.ts";

/** The spec at the gateway is unknown because a command failed: it differs from every wanted spec. */
const UNKNOWN: Spec = -1;
/** Bytes that a symbol takes in a command besides its characters: quotes and comma, or a MessagePack head. */
const SYMBOL_OVERHEAD = 3;
/** Bytes that the longest command takes besides its symbols, in JSON, which is the longer of the two forms. */
const COMMAND_BYTES = 180;

export class Reconciler {
  /** Symbols and patterns to be asked for again. */
  readonly retries = new Set<string>();
  /** Symbols that the client may not see with its present token. */
  readonly denied = new Set<string>();
  readonly #demand: Demand;
  readonly #messageBytes: number;
  /** The specs of patterns at the gateway, by prefix. */
  readonly #patterns = new Map<string, Spec>();
  /** The specs of symbols at the gateway, where they differ from those of the patterns. */
  readonly #symbols = new Map<string, Spec>();
  #wantedPatterns: Map<string, Spec> | undefined;
  /** Symbols whose demand may have changed. */
  readonly #unchecked = new Set<string>();
  /** Symbols to ask for, and the wanted spec. */
  readonly #due = new Map<string, Spec>();

  /** @param messageBytes the size limit of the gateway for a command */
  constructor(demand: Demand, messageBytes: number) {
    this.#demand = demand;
    this.#messageBytes = messageBytes;
    this.changed();
  }

  /** The demand for these symbols may have changed; without any, for patterns and so for every symbol. */
  changed(symbols?: Iterable<string>): void {
    if (!symbols) this.#wantedPatterns = undefined;
    for (const symbol of symbols ?? [...this.#demand.named, ...this.#symbols.keys(), ...this.#due.keys()])
      this.#unchecked.add(symbol);
  }

  /** A command that named these has failed, or the gateway has refused them: asks for them again. */
  again(texts: Set<string>): void {
    for (const text of texts) {
      if (text.endsWith("*")) this.#patterns.set(text.slice(0, -1), UNKNOWN);
      else this.#symbols.set(text, UNKNOWN);
    }
    texts.clear();
    this.changed();
  }

  /** The next command; undefined when the gateway has the whole demand. It counts as sent. */
  next(): Subscribe | Unsubscribe | undefined {
    this.#wantedPatterns ??= this.#demand.patterns;
    // Unsubscribing first makes room under the limits of the gateway.
    return (
      this.#dropPatterns() ??
      this.#commandForSymbols(true) ??
      this.#commandForPatterns() ??
      this.#commandForSymbols(false)
    );
  }

  #dropPatterns(): Subscribe | Unsubscribe | undefined {
    const wanted = this.#wantedPatterns as Map<string, Spec>;
    const dropped: string[] = [];
    for (const prefix of this.#patterns.keys()) {
      if (wanted.has(prefix)) continue;
      const wider = nearest(wanted, prefix);
      // Asking for the wider one again replaces the narrower one.
      if (wider) this.#patterns.set(wider[0], UNKNOWN);
      else dropped.push(prefix);
    }
    return this.#sendPatterns(dropped, UNWANTED);
  }

  #commandForPatterns(): Subscribe | Unsubscribe | undefined {
    const due: string[] = [];
    let spec: Spec | undefined;
    for (const [prefix, other] of this.#wantedPatterns as Map<string, Spec>) {
      if (this.#patterns.get(prefix) === other) continue;
      spec ??= other;
      // The ones after it may be narrower, and must be sent later.
      if (other !== spec) break;
      due.push(prefix);
    }
    return this.#sendPatterns(due, spec ?? UNWANTED);
  }

  #sendPatterns(due: readonly string[], spec: Spec): Subscribe | Unsubscribe | undefined {
    if (due.length === 0) return undefined;
    const prefixes = this.#fitting(due);
    for (const prefix of prefixes) {
      this.#supersede(prefix);
      if (this.#wantedPatterns?.has(prefix)) this.#patterns.set(prefix, spec);
    }
    return this.#command(
      prefixes.map((prefix) => `${prefix}*`),
      spec,
    );
  }

  /** A command for this prefix replaces those for symbols and narrower patterns under it. */
  #supersede(prefix: string): void {
    for (const other of this.#patterns.keys()) if (other.startsWith(prefix)) this.#patterns.delete(other);
    for (const symbol of this.#symbols.keys()) if (symbol.startsWith(prefix)) this.#symbols.delete(symbol);
    for (const symbol of this.#demand.named) if (symbol.startsWith(prefix)) this.#unchecked.add(symbol);
  }

  /** @param unwanted whether to unsubscribe, or to subscribe */
  #commandForSymbols(unwanted: boolean): Subscribe | Unsubscribe | undefined {
    this.#check();
    let spec = Infinity;
    // The shortest interval first: those symbols are on a screen.
    for (const other of this.#due.values()) if ((other === UNWANTED) === unwanted) spec = Math.min(spec, other);
    const due: string[] = [];
    for (const [symbol, other] of this.#due) if (other === spec) due.push(symbol);
    if (due.length === 0) return undefined;
    const symbols = this.#fitting(due);
    for (const symbol of symbols) {
      this.#due.delete(symbol);
      if (spec === this.#patternSpec(symbol)) this.#symbols.delete(symbol);
      else this.#symbols.set(symbol, spec);
    }
    return this.#command(symbols, spec);
  }

  /** Checks the symbols whose demand may have changed: which ones to ask for, and with which spec. */
  #check(): void {
    for (const symbol of this.#unchecked) {
      const spec = this.#demand.spec(symbol);
      if (spec === (this.#symbols.get(symbol) ?? this.#patternSpec(symbol))) this.#due.delete(symbol);
      else this.#due.set(symbol, spec);
    }
    this.#unchecked.clear();
  }

  #patternSpec(symbol: string): Spec {
    return nearest(this.#patterns, symbol)?.[1] ?? UNWANTED;
  }

  /** As many texts as fit into one command; at least one. */
  #fitting(texts: readonly string[]): string[] {
    let room = this.#messageBytes - COMMAND_BYTES;
    const fitting: string[] = [];
    for (const text of texts) {
      room -= text.length + 1 + SYMBOL_OVERHEAD;
      if (room < 0 && fitting.length > 0) break;
      fitting.push(text);
    }
    return fitting;
  }

  #command(symbols: string[], spec: Spec): Subscribe | Unsubscribe {
    const { kind } = this.#demand;
    const own = { symbols, ...(kind.name === "quote" ? {} : { channel: kind.name }) };
    if (spec === UNWANTED) return { op: "unsubscribe", ...own };
    return { op: "subscribe", ...own, interval: intervalOf(spec), ...kind.terms(demandOf(spec)) };
  }
}
