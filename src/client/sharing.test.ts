/**
 * Whatever owners do, and whatever becomes of the connection: what is asked for on the wire is what all of them want
 * together, and each gets what it asked for, at its own pace, and nothing after it has left.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FIELDS, type Field, isPattern } from "../tick.ts";
import { type Quote, type Subscription, TickgateClient } from "./client.ts";
import { ManualTime } from "./fake.testing.ts";
import { ModelGateway, matches } from "./model.testing.ts";

const SYMBOLS = ["A:1", "A:2", "A:3", "AB:1", "AB:2", "B:1", "B:2", "C"];
const TEXTS = [...SYMBOLS, "*", "A*", "A:*", "AB:*", "B:*"];
const HIDDEN_INTERVAL = 2_000;
const BACKGROUND_INTERVAL = 4_000;
/** Microtasks that a loop takes for all symbols. */
const ROUNDS = 40;
/** How long what has left the screen keeps its pace, ms. */
const LEAVING = 500;
/** Steps of time, ms, while things happen and while all settles. */
const TURN = 5;
const LONG_TURN = 50;

/** One owner, and what it must get: in words of its own, not the library's. */
class Owner {
  /** The text that was said last of those that match best decides. */
  readonly said = new Map<string, boolean>();
  readonly shown = new Set<string>();
  readonly hidden = new Set<string>();
  /** What holds of symbols in neither. */
  isHidden = false;
  interval: number;
  fields: readonly Field[] | undefined;
  subscription: Subscription | undefined;
  isClosed = false;
  /** By symbol: what it was last told. */
  readonly last = new Map<string, { at: number; seq: number; state: string; values: (number | null)[]; era: number }>();
  /** Counts what may change its pace; and when it last changed its fields, which by itself is nothing to be told. */
  era = 0;
  fieldsEra = 0;
  /** Until when what has left the screen may have its old pace, ms. */
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
}

/** A symbol goes before patterns, a longer pattern before a shorter one. */
function rank(text: string): number {
  return isPattern(text) ? text.length : 1_000;
}

type Step =
  | {
      readonly do: "subscribe";
      readonly texts: string[];
      readonly interval: number;
      readonly fields?: Field[];
      readonly loops: boolean;
    }
  | { readonly do: "add" | "remove"; readonly owner: number; readonly texts: string[] }
  | { readonly do: "change"; readonly owner: number; readonly interval?: number; readonly fields?: Field[] }
  | { readonly do: "hide" | "show" | "showOnly"; readonly owner: number; readonly symbols: string[] }
  | { readonly do: "hideAll" | "showAll" | "close"; readonly owner: number }
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
const subscribe: fc.Arbitrary<Step> = fc.record(
  { do: of("subscribe"), texts, interval, fields, loops: fc.boolean() },
  { requiredKeys: ["do", "texts", "interval", "loops"] },
);
const step: fc.Arbitrary<Step> = fc.oneof(
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

/** How long messages are on their way, ms. */
const delay = fc.constantFrom(0, 10, 60);

/** A run: the model, the client and its owners. */
class Run {
  readonly time = new ManualTime();
  readonly gateway: ModelGateway;
  readonly client: TickgateClient;
  readonly owners: Owner[] = [];
  readonly errors: Error[] = [];
  isVisible = true;
  #hasLoops = false;
  #value = 0;

  constructor(delay: number) {
    this.gateway = new ModelGateway(this.time, delay);
    this.client = new TickgateClient("ws://model", {
      WebSocket: this.gateway.WebSocket,
      time: this.time,
      hiddenInterval: HIDDEN_INTERVAL,
      backgroundInterval: BACKGROUND_INTERVAL,
      pingInterval: 700,
      random: () => 0.5,
    });
    this.client.on("error", (error) => this.errors.push(error));
    // Some symbols are there before anybody comes, the others appear.
    for (const symbol of SYMBOLS.slice(0, 5)) this.tick(symbol);
  }

  async take(step: Step): Promise<void> {
    if (step.do === "subscribe") return this.#subscribe(step);
    if (step.do === "wait") return this.wait(step.millis, TURN);
    if ("owner" in step) this.#use(step);
    else if (step.do === "tick") for (const symbol of step.symbols) this.tick(symbol);
    else if (step.do === "cut") this.gateway.cut();
    else if (step.do === "see") {
      this.client.visible = this.isVisible = step.visible;
      for (const owner of this.owners) owner.era++;
    } else {
      this.gateway.isDown = step.do === "down";
      if (this.gateway.isDown) this.gateway.cut();
    }
    await this.#rounds();
  }

  async wait(millis: number, turn: number): Promise<void> {
    for (let passed = 0; passed < millis; passed += turn) {
      this.time.advance(turn);
      this.gateway.turn();
      await this.#rounds();
    }
  }

  /** Until the connection is made again, and for twice the longest interval. */
  async settle(): Promise<void> {
    for (let second = 0; second < 40 && this.client.state === "connecting"; second++) await this.wait(1_000, LONG_TURN);
    await this.wait(2 * BACKGROUND_INTERVAL + 1_000, LONG_TURN);
  }

  /** Lets loops have their turn. */
  async #rounds(): Promise<void> {
    for (let round = 0; round < (this.#hasLoops ? ROUNDS : 3); round++) await null;
  }

  tick(symbol: string): void {
    this.gateway.tick(
      symbol,
      FIELDS.map((_, index) => (index === 3 ? null : ++this.#value)),
    );
  }

  #subscribe({ texts, interval, fields, loops }: Extract<Step, { do: "subscribe" }>): void {
    const owner = new Owner(interval, fields);
    owner.add(texts);
    this.owners.push(owner);
    const told = (quote: Quote) => this.#told(owner, quote);
    const subscription = this.client.subscribe(texts, { interval, fields }, loops ? undefined : told);
    owner.subscription = subscription;
    this.#hasLoops ||= loops;
    if (loops)
      (async () => {
        // A round that was begun before the end, or in one moment with another, is a matter of microtasks.
        for await (const quote of subscription)
          if (!owner.isClosed && owner.last.get(quote.symbol)?.at !== this.time.millis()) told(quote);
          else if (!owner.isClosed) this.#note(owner, quote);
        assert.ok(owner.isClosed);
      })().catch((error) => this.errors.push(error));
  }

  #use(step: Extract<Step, { owner: number }>): void {
    const owner = this.owners[step.owner];
    const subscription = owner?.subscription;
    if (!subscription || owner.isClosed) return;
    owner.era++;
    if (step.do === "hide" || step.do === "showOnly") owner.leavesUntil = this.time.millis() + LEAVING;
    switch (step.do) {
      case "add":
        owner.add(step.texts);
        return subscription.add(step.texts);
      case "remove":
        owner.remove(step.texts);
        return subscription.remove(step.texts);
      case "change": {
        if (step.interval !== undefined) owner.interval = step.interval;
        if (step.fields) {
          owner.fields = step.fields;
          owner.fieldsEra = owner.era;
        }
        const { interval, fields } = step;
        return subscription.change({ ...(interval === undefined ? {} : { interval }), ...(fields ? { fields } : {}) });
      }
      case "hide":
        for (const symbol of step.symbols) {
          owner.hidden.add(symbol);
          owner.shown.delete(symbol);
        }
        return subscription.hide(step.symbols);
      case "show":
        for (const symbol of step.symbols) {
          owner.shown.add(symbol);
          owner.hidden.delete(symbol);
        }
        return subscription.show(step.symbols);
      case "showOnly":
      case "hideAll":
      case "showAll":
        owner.hidden.clear();
        owner.shown.clear();
        owner.isHidden = step.do !== "showAll";
        if (step.do !== "showOnly") return step.do === "hideAll" ? subscription.hide() : subscription.show();
        for (const symbol of step.symbols) owner.shown.add(symbol);
        return subscription.showOnly(step.symbols);
      case "close":
        owner.isClosed = true;
        return subscription.close();
    }
  }

  #told(owner: Owner, quote: Quote): void {
    assert.ok(!owner.isClosed, "told after the end");
    assert.ok(owner.covers(quote.symbol), `told of ${quote.symbol}, which it does not want`);
    const { symbol, state } = quote;
    const before = owner.last.get(symbol);
    const at = this.time.millis();
    this.#note(owner, quote);
    if (!before || before.era !== owner.era || before.state !== state || before.at < owner.leavesUntil) return;
    const pace = owner.pace(symbol, this.isVisible);
    // What came early was late before: a tenth is for that. A loop has its turn only when a step of time is over.
    assert.ok(at - before.at >= pace * 0.9 - LONG_TURN, `${symbol} after ${at - before.at} ms at ${pace} ms`);
  }

  #note(owner: Owner, { symbol, seq, state, values }: Quote): void {
    owner.last.set(symbol, { at: this.time.millis(), seq, state, values, era: owner.era });
  }

  /** What the wire must have of a symbol. */
  wanted(symbol: string): { interval: number; fields: readonly Field[] } | undefined {
    const wanting = this.owners.filter((owner) => !owner.isClosed && owner.covers(symbol));
    if (wanting.length === 0) return undefined;
    return {
      interval: Math.min(...wanting.map((owner) => owner.pace(symbol, this.isVisible))),
      fields: FIELDS.filter((field) => wanting.some(({ fields = FIELDS }) => fields.includes(field))),
    };
  }

  /** That all is as it must be when all has settled. */
  check(): void {
    assert.deepEqual(this.errors, []);
    for (const [violation, count] of Object.entries(this.client.violations)) assert.equal(count, 0, violation);
    const open = this.owners.filter((owner) => !owner.isClosed);
    if (this.client.connection.phase === "idle") return assert.equal(this.owners.length, 0);
    assert.equal(this.client.state, "live");
    for (const symbol of SYMBOLS) {
      const row = this.gateway.rows.get(symbol);
      const wanted = this.wanted(symbol);
      const isNamed = open.some((owner) => owner.said.get(symbol));
      if ((row && row.seq > 0) || !wanted) assert.deepEqual(this.gateway.terms(symbol), wanted, symbol);
      if (!wanted || isNamed || (row && row.seq > 0)) assert.equal(this.client.quotes.has(symbol), !!wanted, symbol);
      for (const owner of open) {
        const quote = owner.subscription?.quotes.get(symbol);
        if (!owner.covers(symbol)) assert.equal(quote, undefined);
        if (!owner.covers(symbol) || !row || row.seq === 0) continue;
        const fields = owner.fields ?? FIELDS;
        const values = fields.map((field) => row.values[FIELDS.indexOf(field)]);
        assert.deepEqual(quote?.fields, fields);
        assert.deepEqual([quote?.seq, quote?.state, quote?.values], [row.seq, "live", values], symbol);
        const told = owner.last.get(symbol);
        assert.deepEqual([told?.seq, told?.state], [row.seq, "live"], `told of ${symbol}`);
        if (told && told.era >= owner.fieldsEra) assert.deepEqual(told.values, values, `told of ${symbol}`);
      }
    }
  }
}

test("what is asked for is what all owners want together, and each gets its own", async () => {
  await fc.assert(
    fc.asyncProperty(subscribe, fc.array(step, { maxLength: 40 }), delay, async (first, steps, delay) => {
      const run = new Run(delay);
      for (const step of [first, ...steps]) await run.take(step);
      run.gateway.isDown = false;
      await run.settle();
      run.check();
      const commands = run.gateway.commands;
      run.client.close();
      await run.wait(100, LONG_TURN);
      assert.deepEqual([run.gateway.connections.size, run.time.timers], [0, 0]);
      assert.equal(run.client.quotes.size, 0);
      assert.ok(run.gateway.commands >= commands);
      assert.ok(run.owners.every(({ subscription }) => subscription?.closed));
    }),
    { numRuns: 200, includeErrorInReport: true },
  );
});

test("what is asked for is what all owners want together, on one connection that lasts", async () => {
  const calm = fc.oneof(
    { weight: 3, arbitrary: subscribe },
    { weight: 3, arbitrary: fc.record({ do: of("add", "remove"), owner, texts }) },
    fc.record({ do: of("change"), owner, interval, fields }, { requiredKeys: ["do", "owner"] }),
    fc.record({ do: of("hide", "show", "showOnly"), owner, symbols }),
    { weight: 2, arbitrary: fc.record({ do: of("hideAll", "showAll", "close"), owner }) },
    { weight: 3, arbitrary: fc.record({ do: of("wait"), millis: fc.constantFrom(0, 40, 600) }) },
  );
  await fc.assert(
    fc.asyncProperty(subscribe, fc.array(calm, { maxLength: 25 }), async (first, steps) => {
      const run = new Run(5);
      // What never ticks and what ticks are asked for alike.
      for (const symbol of SYMBOLS.slice(5, 7)) run.tick(symbol);
      for (const step of [first, ...steps]) await run.take(step.do === "subscribe" ? { ...step, loops: false } : step);
      await run.wait(3_000, LONG_TURN);
      run.check();
      run.client.close();
    }),
    { numRuns: 300, includeErrorInReport: true },
  );
});
