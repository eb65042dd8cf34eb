/**
 * An answer in parts has the same effect as a whole one, however it is split and whatever arrives between its parts.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FakeSocket, fakeClient, settled } from "../../test/support/fake_connection.ts";
import type { TickgateClient } from "./client.ts";

const SYMBOLS = ["A:1", "A:2", "A:3", "B:1", "B:2", "C"];
const REFUSED = ["X:1", "X:2"];

/** One entry of an answer: a symbol that is granted or ended, or one that is rejected. */
type Item = { readonly symbol: string; readonly isRejected: boolean };

const items: fc.Arbitrary<Item[]> = fc
  .shuffledSubarray([...SYMBOLS, ...REFUSED])
  .map((symbols) => symbols.map((symbol) => ({ symbol, isRejected: REFUSED.includes(symbol) })));
/** Where parts end, by the number of items before it; the same number twice makes an empty part. */
const cuts = fc.array(fc.nat(SYMBOLS.length + REFUSED.length), { maxLength: 5 });
const between = fc.array(fc.constantFrom("heartbeat", "status", "frame", "quality"), { maxLength: 4 });

function partsOf<T>(all: readonly T[], cuts: readonly number[]): T[][] {
  const ends = [...cuts.map((cut) => Math.min(cut, all.length)).sort((a, b) => a - b), all.length];
  return ends.map((end, index) => all.slice(ends[index - 1] ?? 0, end));
}

const handleOf = (symbol: string) => SYMBOLS.indexOf(symbol) + 1;

class Run {
  readonly client: TickgateClient;
  readonly events: string[];
  readonly gateway: FakeSocket;
  #seq = 1;

  constructor() {
    const { client, events } = fakeClient({ intervalTolerance: 1e9 });
    this.client = client;
    this.events = events;
    client.on("error", () => {});
    client.subscribe([...SYMBOLS, ...REFUSED], { interval: 0 });
    this.gateway = FakeSocket.last;
    this.gateway.hello();
  }

  /** Sends an answer in parts, with another message before each part but the first. */
  answer(op: "subscribed" | "unsubscribed", parts: readonly Item[][], others: readonly string[]): void {
    const granted: string[] = [];
    for (const [index, part] of parts.entries()) {
      if (index > 0) for (const other of others) this.#say(other, granted);
      const more = index < parts.length - 1 ? { more: true } : {};
      const symbols = part.filter((item) => !item.isRejected).map(({ symbol }) => symbol);
      const rejected = part
        .filter((item) => item.isRejected)
        .map(({ symbol }) => ({ symbol, code: "not_entitled", message: "no" }));
      if (op === "unsubscribed") this.gateway.say({ op, id: 1, ...more, symbols });
      else {
        const pairs = symbols.map((symbol) => [symbol, handleOf(symbol)]);
        const terms = { interval: 0, fields: ["bid", "ask"] };
        this.gateway.say({ op, id: 1, ...more, ...terms, symbols: pairs, rejected });
        granted.push(...symbols);
        // A part takes effect at once.
        for (const symbol of symbols) assert.ok(this.client.get(symbol)?.interval === 0);
      }
    }
  }

  frame(symbols: readonly string[]): void {
    this.#seq++;
    const ticks = symbols.map((symbol) => [handleOf(symbol), this.#seq, 1, this.#seq, null]);
    if (ticks.length > 0) this.gateway.say([this.#seq, ...ticks]);
  }

  /** The result: the last state of each symbol, and the refusals. */
  get outcome(): unknown {
    const quotes = [...this.client.quotes.values()].map(({ symbol, state, reason, bid, fields, interval }) =>
      [symbol, state, reason, bid !== null, `${fields}`, interval].join(" "),
    );
    return {
      quotes: quotes.sort(),
      said: this.events.filter((line) => /^(granted|rejected|error|ended|violation)/.test(line)).sort(),
      violations: this.client.violations,
    };
  }

  #say(other: string, granted: readonly string[]): void {
    if (other === "heartbeat") this.gateway.say({ op: "heartbeat", time: 1 });
    else if (other === "quality") this.gateway.say({ op: "quality", state: "realtime", interval: 0, reason: "client" });
    else if (other === "frame") this.frame(granted);
    else this.gateway.say({ op: "status", symbols: [...granted], state: "stale", reason: "silent", since: 1 });
  }
}

/** Grants symbols, makes them all live, and unsubscribes from some. */
function outcomeOf(items: readonly Item[], cuts: readonly number[], others: readonly string[]): unknown {
  const run = new Run();
  run.answer("subscribed", partsOf(items, cuts), others);
  const granted = items.filter((item) => !item.isRejected).map(({ symbol }) => symbol);
  run.gateway.say({ op: "status", symbols: granted, state: "live", since: 1 });
  run.frame(granted);
  const ended = items.filter((item) => !item.isRejected).slice(0, 3);
  run.answer("unsubscribed", partsOf(ended, cuts), []);
  const { outcome } = run;
  run.client.close();
  return outcome;
}

test("any split of an answer, with anything between its parts, has the same result as the whole", () => {
  fc.assert(
    fc.property(items, cuts, between, (items, cuts, others) => {
      assert.deepEqual(outcomeOf(items, cuts, others), outcomeOf(items, [], []));
    }),
    { numRuns: 500 },
  );
});

test("the last part completes an answer: after an error between parts, the command is retried", async () => {
  const { client, time, events } = fakeClient();
  client.subscribe(["A", "B"], { interval: 50 });
  const gateway = FakeSocket.last;
  gateway.hello({ heartbeat: 60_000 });
  gateway.takeCommands();
  const part = { op: "subscribed", id: 1, interval: 50, fields: ["bid"], symbols: [["A", 1]], rejected: [] };
  gateway.say({ ...part, more: true });
  gateway.say([1, [1, 1, 1, 1]]);
  assert.equal(client.get("A")?.state, "live");
  // The gateway fails within its answer: the whole command is retried.
  gateway.say({ op: "error", id: 1, code: "internal", message: "x", retryable: true });
  time.advance(1_000);
  await settled();
  assert.deepEqual(
    gateway.takeCommands().map(({ id, ...command }) => command),
    [{ op: "subscribe", symbols: ["A", "B"], interval: 50 }],
  );
  assert.ok(events.includes("error internal"));
  // After the last part nothing is retried.
  gateway.say({ ...part, id: 2, more: true });
  gateway.say({ ...part, id: 2, symbols: [["B", 2]] });
  gateway.say({ op: "error", id: 2, code: "internal", message: "x", retryable: true });
  time.advance(1_000);
  await settled();
  assert.deepEqual(gateway.takeCommands(), []);
});

test("room that an unsubscribe makes is asked for when its last part has come", async () => {
  const { client, time } = fakeClient();
  client.on("error", () => {});
  const screen = client.subscribe(["A", "B", "C"], { interval: 50 });
  const gateway = FakeSocket.last;
  gateway.hello({ heartbeat: 60_000 });
  gateway.takeCommands();
  const granted = { op: "subscribed", id: 1, interval: 50, fields: ["bid"], symbols: [["A", 1]] };
  gateway.say({ ...granted, rejected: [{ symbol: "C", code: "too_many_symbols", message: "full" }] });
  screen.remove("A");
  await settled();
  assert.deepEqual(gateway.takeCommands(), [{ op: "unsubscribe", symbols: ["A"], id: 2 }]);
  gateway.say({ op: "unsubscribed", id: 2, more: true, symbols: ["A"] });
  time.advance(100);
  assert.deepEqual(gateway.takeCommands(), []);
  gateway.say({ op: "unsubscribed", id: 2, symbols: [] });
  time.advance(100);
  assert.deepEqual(gateway.takeCommands(), [{ op: "subscribe", symbols: ["C"], interval: 50, id: 3 }]);
});
