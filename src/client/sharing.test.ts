/**
 * For random actions of owners and random faults of the connection: the client asks the gateway for exactly the demand
 * of all owners together; each owner gets what it asked for, at its own interval, and nothing after it has closed.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LiveGateway, until } from "../../test/support/client_gateway.ts";
import { ModelGateway } from "../../test/support/client_model.ts";
import {
  BACKGROUND_INTERVAL,
  calm,
  HIDDEN_INTERVAL,
  Owner,
  type Step,
  SYMBOLS,
  step,
  subscribe,
  wantedOf,
} from "../../test/support/client_owner.ts";
import { ManualTime } from "../../test/support/fake_connection.ts";
import { FIELDS } from "../base/tick.ts";
import { type Quote, TickgateClient } from "./client.ts";

/** The number of microtasks that a loop needs for all symbols. */
const ROUNDS = 40;
/** Steps of time, ms, during the actions and after them. */
const TURN = 5;
const LONG_TURN = 50;

/** The latency of messages, ms. */
const delay = fc.constantFrom(0, 10, 60);
/** The most symbols in one part of an answer. */
const partSize = fc.constantFrom(1, 2, 3, Number.POSITIVE_INFINITY);

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

  constructor(delay: number, partSize: number) {
    this.gateway = new ModelGateway(this.time, delay, partSize);
    this.client = new TickgateClient("ws://model", {
      WebSocket: this.gateway.WebSocket,
      time: this.time,
      hiddenInterval: HIDDEN_INTERVAL,
      backgroundInterval: BACKGROUND_INTERVAL,
      pingInterval: 700,
      random: () => 0.5,
    });
    this.client.on("error", (error) => this.errors.push(error));
    // Some symbols exist before the first subscription, the others appear later.
    for (const symbol of SYMBOLS.slice(0, 5)) this.tick(symbol);
  }

  async take(step: Step): Promise<void> {
    if (step.do === "subscribe") return this.#subscribe(step);
    if (step.do === "wait") return this.wait(step.millis, TURN);
    if ("owner" in step) this.owners[step.owner]?.take(step, this.time.millis());
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

  /** Advances until the connection is made again, and by twice the longest interval. */
  async settle(): Promise<void> {
    for (let second = 0; second < 40 && this.client.state === "connecting"; second++) await this.wait(1_000, LONG_TURN);
    await this.wait(2 * BACKGROUND_INTERVAL + 1_000, LONG_TURN);
  }

  /** Lets loops run. */
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
        // An iteration that began before the end, or together with another, may need some microtasks.
        for await (const quote of subscription)
          if (!owner.isClosed && owner.last.get(quote.symbol)?.at !== this.time.millis()) told(quote);
          else if (!owner.isClosed) this.#note(owner, quote);
        assert.ok(owner.isClosed);
      })().catch((error) => this.errors.push(error));
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
    // A tick that is early follows one that was late: a tenth is allowed for that. A loop runs only after a step of
    // time.
    assert.ok(at - before.at >= pace * 0.9 - LONG_TURN, `${symbol} after ${at - before.at} ms at ${pace} ms`);
  }

  #note(owner: Owner, { symbol, seq, state, values }: Quote): void {
    owner.last.set(symbol, { at: this.time.millis(), seq, state, values, era: owner.era });
  }

  /** Checks the state after everything has settled. */
  check(): void {
    assert.deepEqual(this.errors, []);
    for (const [violation, count] of Object.entries(this.client.violations)) assert.equal(count, 0, violation);
    const open = this.owners.filter((owner) => !owner.isClosed);
    if (this.client.connection.phase === "idle") return assert.equal(this.owners.length, 0);
    assert.equal(this.client.state, "live");
    for (const symbol of SYMBOLS) {
      const row = this.gateway.rows.get(symbol);
      const wanted = wantedOf(this.owners, symbol, this.isVisible);
      const isNamed = open.some((owner) => owner.said.get(symbol));
      if ((row && row.seq > 0) || !wanted) assert.deepEqual(this.gateway.terms(symbol), wanted, symbol);
      if (!wanted || isNamed || (row && row.seq > 0)) assert.equal(this.client.quotes.has(symbol), !!wanted, symbol);
      for (const owner of open) {
        const quote = owner.subscription?.quotes.get(symbol);
        if (!owner.covers(symbol)) assert.equal(quote, undefined);
        if (quote?.seq === 0) assert.notEqual(quote.state, "live", symbol);
        if (quote?.seq === 0 && this.gateway.terms(symbol))
          assert.deepEqual([quote.state, quote.reason], ["stale", "unknown"], symbol);
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
    fc.asyncProperty(subscribe, fc.array(step, { maxLength: 40 }), delay, partSize, async (first, steps, ...ways) => {
      const run = new Run(...ways);
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

/** An owner closes while the symbol that it names waits to be asked for again. */
const NAMED_AND_CLOSED: readonly Step[] = [
  { do: "subscribe", texts: ["A:1", "B:*"], interval: 0, loops: false },
  { do: "wait", millis: 40 },
  { do: "subscribe", texts: ["*"], interval: 50, loops: false },
  { do: "showOnly", owner: 1, symbols: ["AB:1"] },
  { do: "close", owner: 0 },
];

/** A symbol is removed before it counts as hidden, and a pattern covers it still. */
const HIDDEN_AND_REMOVED: readonly Step[] = [
  { do: "subscribe", texts: ["A:1"], interval: 0, loops: false },
  { do: "add", owner: 0, texts: ["AB:*", "AB:2"] },
  { do: "hide", owner: 0, symbols: ["AB:2", "A:1"] },
  { do: "remove", owner: 0, texts: ["AB:2", "A:1"] },
];

test("what is asked for is what all owners want together, on one connection that lasts", async () => {
  await fc.assert(
    fc.asyncProperty(subscribe, fc.array(calm, { maxLength: 25 }), partSize, async (first, steps, partSize) => {
      const run = new Run(5, partSize);
      // The client asks for symbols without ticks and with ticks in the same way.
      for (const symbol of SYMBOLS.slice(5, 7)) run.tick(symbol);
      for (const step of [first, ...steps]) await run.take(step.do === "subscribe" ? { ...step, loops: false } : step);
      await run.wait(3_000, LONG_TURN);
      run.check();
      run.client.close();
    }),
    {
      numRuns: 300,
      includeErrorInReport: true,
      examples: [NAMED_AND_CLOSED, HIDDEN_AND_REMOVED].map(([first, ...steps]) => [first as Step, steps, 1]),
    },
  );
});

test("a real gateway has what all owners want together", async (t) => {
  const gateway = await LiveGateway.open();
  t.after(() => gateway.cut());
  for (const [index, symbol] of SYMBOLS.entries()) gateway.tick(symbol, index, index + 1);
  await fc.assert(
    fc.asyncProperty(subscribe, fc.array(calm, { maxLength: 20 }), async (first, steps) => {
      const client = new TickgateClient(gateway.url, { hiddenInterval: HIDDEN_INTERVAL });
      const owners: Owner[] = [];
      for (const step of [first, ...steps]) {
        if ("owner" in step) owners[step.owner]?.take(step, 0);
        else if (step.do === "wait") await new Promise((resolve) => setTimeout(resolve, step.millis / 10));
        else if (step.do === "subscribe") {
          const { texts, interval, fields } = step;
          const owner = new Owner(interval, fields);
          owner.add(texts);
          owner.subscription = client.subscribe(texts, { interval, fields });
          owners.push(owner);
        }
      }
      const wanted = new Map(SYMBOLS.map((symbol) => [symbol, wantedOf(owners, symbol, true)]));
      const isGranted = (symbol: string) => {
        const [quote, terms] = [client.get(symbol), wanted.get(symbol)];
        if (!quote || !terms) return quote === undefined && terms === undefined;
        return quote.state === "live" && quote.interval === terms.interval && `${quote.fields}` === `${terms.fields}`;
      };
      const published = (symbol: string, field: string) => {
        const index = SYMBOLS.indexOf(symbol);
        return field === "bid" ? index : field === "ask" ? index + 1 : null;
      };
      // A change of fields is granted before the snapshot with them comes.
      const isSeen = ({ subscription, fields = FIELDS }: Owner) =>
        [...(subscription?.quotes ?? [])].every(
          ([symbol, { values }]) => `${values}` === `${fields.map((field) => published(symbol, field))}`,
        );
      // Pongs come when nothing else does.
      const pinging = setInterval(() => client.ping(), 50);
      try {
        await until(client, () => SYMBOLS.every(isGranted), "the grants");
        const subscriptions = [...wanted.values()].filter((terms) => terms).length;
        await until(client, () => gateway.load.subscriptions === subscriptions, "what nobody wants to be given up");
        await until(client, () => owners.every(isSeen), "the values that each asked for");
        assert.ok(Object.values(client.violations).every((count) => count === 0));
      } finally {
        clearInterval(pinging);
        client.close();
      }
    }),
    { numRuns: 12, includeErrorInReport: true },
  );
});
