/** Random users of subscriptions, and the quotes that they must get, computed without code of the library. */
import fc from "fast-check";
import { FIELDS, type Field, isPattern } from "../../src/base/tick.ts";
import type { Subscription } from "../../src/client/client.ts";
import { matches } from "./client_model.ts";

export const SYMBOLS = ["A:1", "A:2", "A:3", "AB:1", "AB:2", "B:1", "B:2", "C"];
const TEXTS = [...SYMBOLS, "*", "A*", "A:*", "AB:*", "B:*"];
export const HIDDEN_INTERVAL = 2_000;
export const BACKGROUND_INTERVAL = 4_000;
/** How long a symbol that has left the screen keeps its interval, ms. */
const LEAVING = 500;

/** The actions of an owner on its subscription. */
export type OwnerStep =
  | { readonly do: "add" | "remove"; readonly owner: number; readonly texts: string[] }
  | { readonly do: "change"; readonly owner: number; readonly interval?: number; readonly fields?: Field[] }
  | { readonly do: "hide" | "show" | "showOnly"; readonly owner: number; readonly symbols: string[] }
  | { readonly do: "hideAll" | "showAll" | "close"; readonly owner: number };

export type Step =
  | OwnerStep
  | {
      readonly do: "subscribe";
      readonly texts: string[];
      readonly interval: number;
      readonly fields?: Field[];
      readonly loops: boolean;
    }
  | { readonly do: "see"; readonly visible: boolean }
  | { readonly do: "tick"; readonly symbols: string[] }
  | { readonly do: "cut" | "down" | "up" }
  | { readonly do: "wait"; readonly millis: number };

const owner = fc.nat(5);
const symbols = fc.uniqueArray(fc.constantFrom(...SYMBOLS), { minLength: 1, maxLength: 4 });
const texts = fc.uniqueArray(fc.constantFrom(...TEXTS), { minLength: 1, maxLength: 3 });
const interval = fc.constantFrom(0, 50, 100, 250, 1_000);
const fields = fc.uniqueArray(fc.constantFrom<Field>("bid", "ask", "last"), { minLength: 1 });
const of = <D extends string>(...names: D[]) => fc.constantFrom(...names);
export const subscribe: fc.Arbitrary<Step> = fc.record(
  { do: of("subscribe"), texts, interval, fields, loops: fc.boolean() },
  { requiredKeys: ["do", "texts", "interval", "loops"] },
);
export const step: fc.Arbitrary<Step> = fc.oneof(
  subscribe,
  fc.record({ do: of("add", "remove"), owner, texts }),
  fc.record({ do: of("change"), owner, interval, fields }, { requiredKeys: ["do", "owner"] }),
  fc.record({ do: of("hide", "show", "showOnly"), owner, symbols }),
  fc.record({ do: of("hideAll", "showAll", "close"), owner }),
  fc.record({ do: of("see"), visible: fc.boolean() }),
  { weight: 4, arbitrary: fc.record({ do: of("tick"), symbols }) },
  fc.record({ do: of("cut", "down", "up") }),
  { weight: 4, arbitrary: fc.record({ do: of("wait"), millis: fc.constantFrom(0, 5, 40, 120, 600, 3_000) }) },
);

/** Steps of owners only: the connection is not disturbed. */
export const calm: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: subscribe },
  { weight: 3, arbitrary: fc.record({ do: of("add", "remove"), owner, texts }) },
  fc.record({ do: of("change"), owner, interval, fields }, { requiredKeys: ["do", "owner"] }),
  fc.record({ do: of("hide", "show", "showOnly"), owner, symbols }),
  { weight: 2, arbitrary: fc.record({ do: of("hideAll", "showAll", "close"), owner }) },
  { weight: 3, arbitrary: fc.record({ do: of("wait"), millis: fc.constantFrom(0, 40, 600) }) },
);

/** One owner, and the quotes that it must get, computed without code of the library. */
export class Owner {
  /** Of the texts that match best, the last one given decides. */
  readonly said = new Map<string, boolean>();
  readonly shown = new Set<string>();
  readonly hidden = new Set<string>();
  /** The visibility of symbols in neither. */
  isHidden = false;
  interval: number;
  fields: readonly Field[] | undefined;
  subscription: Subscription | undefined;
  isClosed = false;
  /** The last delivered quote, by symbol. */
  readonly last = new Map<string, { at: number; seq: number; state: string; values: (number | null)[]; era: number }>();
  /** Counts changes that may affect its interval; and when its fields last changed, which alone causes no call. */
  era = 0;
  fieldsEra = 0;
  /** Until when symbols that have left the screen may have their old interval, ms. */
  leavesUntil = 0;

  constructor(interval: number, fields: readonly Field[] | undefined) {
    this.interval = interval;
    this.fields = fields;
  }

  covers(symbol: string): boolean {
    const matching = [...this.said].filter(([text]) => matches(text, symbol));
    return matching.sort(([a], [b]) => rank(b) - rank(a))[0]?.[1] ?? false;
  }

  pace(symbol: string, isVisible: boolean): number {
    if (!isVisible) return Math.max(this.interval, BACKGROUND_INTERVAL);
    const isHidden = this.isHidden ? !this.shown.has(symbol) : this.hidden.has(symbol);
    return isHidden ? Math.max(this.interval, HIDDEN_INTERVAL) : this.interval;
  }

  add(texts: readonly string[]): void {
    for (const text of texts) {
      this.said.set(text, true);
      if (isPattern(text))
        for (const [other, wanted] of this.said) if (!wanted && matches(text, other)) this.said.delete(other);
    }
  }

  remove(texts: readonly string[]): void {
    for (const text of texts) {
      if (this.said.get(text)) this.said.delete(text);
      else {
        if (isPattern(text)) for (const other of this.said.keys()) if (matches(text, other)) this.said.delete(other);
        if ([...this.said].some(([other, wanted]) => wanted && isPattern(other) && matches(other, text)))
          this.said.set(text, false);
      }
      this.shown.delete(text);
      this.hidden.delete(text);
    }
  }

  /** Performs an action on its subscription. @param now ms */
  take(step: OwnerStep, now: number): void {
    const { subscription } = this;
    if (!subscription || this.isClosed) return;
    this.era++;
    if (step.do === "hide" || step.do === "showOnly") this.leavesUntil = now + LEAVING;
    switch (step.do) {
      case "add":
        this.add(step.texts);
        return subscription.add(step.texts);
      case "remove":
        this.remove(step.texts);
        return subscription.remove(step.texts);
      case "change": {
        const { interval, fields } = step;
        this.interval = interval ?? this.interval;
        if (fields) {
          this.fields = fields;
          this.fieldsEra = this.era;
        }
        return subscription.change({ ...(interval === undefined ? {} : { interval }), ...(fields ? { fields } : {}) });
      }
      case "hide":
      case "show":
        for (const symbol of step.symbols) {
          this.hidden[step.do === "hide" ? "add" : "delete"](symbol);
          this.shown[step.do === "hide" ? "delete" : "add"](symbol);
        }
        return subscription[step.do](step.symbols);
      case "showOnly":
      case "hideAll":
      case "showAll":
        this.hidden.clear();
        this.shown.clear();
        this.isHidden = step.do !== "showAll";
        if (step.do !== "showOnly") return step.do === "hideAll" ? subscription.hide() : subscription.show();
        for (const symbol of step.symbols) this.shown.add(symbol);
        return subscription.showOnly(step.symbols);
      case "close":
        this.isClosed = true;
        return subscription.close();
    }
  }
}

/** The spec that the gateway must have for a symbol; undefined if no owner wants it. */
export function wantedOf(
  owners: readonly Owner[],
  symbol: string,
  isVisible: boolean,
): { interval: number; fields: readonly Field[] } | undefined {
  const wanting = owners.filter((owner) => !owner.isClosed && owner.covers(symbol));
  if (wanting.length === 0) return undefined;
  return {
    interval: Math.min(...wanting.map((owner) => owner.pace(symbol, isVisible))),
    fields: FIELDS.filter((field) => wanting.some(({ fields = FIELDS }) => fields.includes(field))),
  };
}

/** A symbol goes before patterns, a longer pattern before a shorter one. */
function rank(text: string): number {
  return isPattern(text) ? text.length : 1_000;
}
