/**
 * For random subscriptions to one tape and random faults: each gets every trade that a gateway sends, once and in
 * order.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FakeSocket, fakeClient, settled } from "../../test/support/fake_connection.ts";
import type { ChannelSubscription, TickgateClient } from "./client.ts";
import { type Tape, TRADES, type TradeTerms } from "./trades.ts";

/** Trades that the gateways keep. */
const RING = 8;
const HANDLE = 7;

type Step =
  | { readonly do: "subscribe" | "change"; readonly owner: number; readonly last: number }
  | { readonly do: "close"; readonly owner: number }
  /** Trades; the bus loses the first `lost` of them. */
  | { readonly do: "trade"; readonly count: number; readonly lost: number }
  /** The connection is lost; trades follow, and the next gateway hears of the last `late` ones later. */
  | { readonly do: "cut"; readonly count: number; readonly late: number };

const owner = fc.nat(2);
const last = fc.integer({ min: 1, max: 10 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom("subscribe" as const, "change" as const), owner, last }),
  fc.record({ do: fc.constant("close" as const), owner }),
  { weight: 3, arbitrary: fc.record({ do: fc.constant("trade" as const), count: fc.nat(12), lost: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("cut" as const), count: fc.nat(12), late: fc.nat(3) }) },
);

interface Owner {
  readonly subscription: ChannelSubscription<Tape, TradeTerms>;
  readonly seqs: number[];
  /** The newest trade when it subscribed. */
  readonly joinedAt: number;
  last: number;
}

class Run {
  readonly client: TickgateClient;
  readonly owners: (Owner | undefined)[] = [];
  /** The trades that were sent, each newer than those before; one that comes too late is only a part of a tape. */
  readonly sent: number[] = [];
  /** The newest trade, and the newest one that the present gateway has heard of. */
  #newest = 3;
  #heard = 3;
  /** Trades that the bus has lost. */
  readonly #lost = new Set<number>();
  /** The newest trade that was sent on this connection; undefined without a grant. */
  #mark: number | undefined;
  #gateway: FakeSocket | undefined;

  constructor() {
    this.client = fakeClient({ intervalTolerance: 1e9 }).client;
  }

  async take(step: Step): Promise<void> {
    const open = "owner" in step ? this.owners[step.owner] : undefined;
    if (step.do === "subscribe" && !open) this.#subscribe(step.owner, step.last);
    else if (step.do === "change" && open) {
      open.last = step.last;
      open.subscription.change({ last: step.last });
    } else if (step.do === "close" && open) {
      open.subscription.close();
      this.owners[step.owner] = undefined;
    } else if (step.do === "trade") this.#trade(step.count, step.lost);
    else if (step.do === "cut" && this.#gateway) this.#cut(step.count, step.late);
    await settled();
    this.#answer();
  }

  #subscribe(index: number, last: number): void {
    const seqs: number[] = [];
    const subscription = this.client.subscribe("A", { channel: TRADES, last, interval: 0 }, (tape, trade) => {
      if (trade) seqs.push(trade.seq);
      if (trade) assert.ok(tape.trades.some(({ seq }) => seq === trade.seq));
    });
    this.owners[index] = { subscription, seqs, joinedAt: this.sent.at(-1) ?? 0, last };
    if (!this.#gateway) this.#greet();
  }

  #greet(): void {
    this.#gateway = FakeSocket.last;
    this.#gateway.hello({ channels: ["quote", "trade"] });
  }

  /** Obeys the commands. */
  #answer(): void {
    for (const { op, id, last } of this.#gateway?.takeCommands() ?? []) {
      if (op === "unsubscribe") {
        this.#mark = undefined;
        this.sent.length = 0;
        this.#gateway?.say({ op: "unsubscribed", channel: "trade", id, symbols: ["A"] });
        continue;
      }
      const first = Math.max(0, this.#heard - RING, this.#heard - (last as number));
      this.#mark = Math.min(this.#mark ?? first, first);
      const past = this.#sendable();
      const terms = { channel: "trade", interval: 0, symbols: [["A", HANDLE, past.length]] };
      this.#gateway?.say({ op: "subscribed", id, ...terms, rejected: [] });
      this.#send(past);
    }
  }

  #trade(count: number, lost: number): void {
    if (this.#heard < this.#newest) this.#hear();
    const until = this.#newest + count;
    for (let seq = this.#newest + 1; seq <= Math.min(until, this.#newest + lost); seq++) this.#lost.add(seq);
    this.#newest = until;
    this.#hear();
  }

  /** The gateway hears of all trades. A loss is known with the trade after it. */
  #hear(): void {
    this.#heard = this.#newest;
    while (this.#lost.has(this.#heard)) this.#heard--;
    if (this.#mark === undefined) return;
    const seqs = this.#sendable();
    const missed = (seqs[0] ?? 0) - this.#mark - 1;
    const status = { op: "status", channel: "trade", symbols: ["A"], state: "gap", reason: "missed", missed, since: 1 };
    if (missed > 0) this.#gateway?.say(status);
    this.#send(seqs);
  }

  #sendable(): number[] {
    const seqs: number[] = [];
    for (let seq = (this.#mark ?? 0) + 1; seq <= this.#heard; seq++) if (!this.#lost.has(seq)) seqs.push(seq);
    return seqs;
  }

  /** Sends trades in two frames. */
  #send(seqs: readonly number[]): void {
    const half = Math.ceil(seqs.length / 2);
    for (const part of [seqs.slice(0, half), seqs.slice(half)]) {
      for (const seq of part) if (seq > (this.sent.at(-1) ?? 0)) this.sent.push(seq);
      if (part.length > 0)
        this.#gateway?.say([seqs[0], ...part.map((seq) => [HANDLE, seq, seq * 10, 5, 1, 1, `t${seq}`])]);
    }
    this.#mark = this.#heard;
  }

  #cut(count: number, late: number): void {
    this.#newest += count;
    this.#heard = Math.max(1, this.#newest - late);
    while (this.#lost.has(this.#heard)) this.#heard--;
    this.#mark = undefined;
    this.#gateway?.drop(1006);
    this.client.connect();
    this.#greet();
  }

  check(): void {
    assert.deepEqual(
      Object.entries(this.client.violations).filter(([, count]) => count > 0),
      [],
    );
    for (const owner of this.owners) {
      if (!owner) continue;
      const { seqs, joinedAt, subscription } = owner;
      const tape = subscription.views.get("A");
      assert.deepEqual(
        seqs.filter((seq) => seq > joinedAt),
        this.sent.filter((seq) => seq > joinedAt),
      );
      assert.ok(isAscending(seqs));
      const shown = tape?.trades.map(({ seq }) => seq) ?? [];
      assert.ok(shown.length <= owner.last);
      assert.ok(isAscending(shown));
      assert.equal(shown.at(-1), this.sent.at(-1));
    }
  }
}

function isAscending(seqs: readonly number[]): boolean {
  return seqs.every((seq, index) => index === 0 || seq > seqs[index - 1]);
}

test("each subscription gets every trade that is sent, once and in order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const run = new Run();
      for (const step of [{ do: "subscribe", owner: 0, last: 5 } as const, ...steps]) await run.take(step);
      await run.take({ do: "trade", count: 1, lost: 0 });
      run.check();
      run.client.close();
    }),
    { numRuns: 500, includeErrorInReport: true },
  );
});
