/**
 * What a client is not allowed to see never reaches it, whatever it asks for and however its identity changes
 * meanwhile; and no message that it gets depends on whether such symbols exist.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ClientReceiver, SessionBench } from "../../../test/support/session_bench.ts";
import { GrantedSymbols } from "../../identity/grants.ts";
import type { Authority, Identity } from "../../identity/identity.ts";
import { OPEN_AUTHORITY } from "../../identity/open_authority.ts";
import { marketOf } from "../../market/market_name.ts";
import { TradeRecord } from "../../market/trade/trade_payload.ts";
import { CHANNELS, type Channel, type Control } from "../../protocol/messages.ts";
import { Ingest } from "../ingest.ts";

const ALLOWED: readonly (readonly string[])[] = [["A*"], ["AA", "B*"], ["A*", "B*"], ["BA"], []];
const VISIBLE = ["AA", "AB", "BA", "BB"];
const HIDDEN = ["AX", "BX", "X", "XA", "AAX", "BAX"];
const NAMES = [...VISIBLE, ...HIDDEN, "XNONE"];

/** Everybody is anonymous, and may see what was set last. */
class ChangingAuthority implements Authority {
  readonly mode = "none";
  readonly authenticate = OPEN_AUTHORITY.authenticate;
  anonymous: Identity;
  longestDelay = () => 0;
  onChange = () => {};
  review = () => this.anonymous;

  constructor(channel: Channel) {
    this.anonymous = identityOf(0, channel);
  }
}

function identityOf(index: number, channel: Channel): Identity {
  // Without the hidden symbols, which would match the prefixes.
  const symbols = ALLOWED[index].flatMap((text) =>
    text.endsWith("*") ? VISIBLE.filter((name) => name.startsWith(text.slice(0, -1))) : [text],
  );
  const grants = [{ symbols, channels: [channel], interval: 0, delay: 0 }];
  // Whoever may see trades or books only late does not see them.
  if (channel !== "quote") grants.push({ symbols: [...HIDDEN], channels: [channel], interval: 0, delay: 1_000 });
  return { ...(OPEN_AUTHORITY.anonymous as Identity), entitlements: new GrantedSymbols(grants) };
}

const texts = fc.subarray([...NAMES, "*", "A*", "B*", "X*"], { minLength: 1 });
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("subscribe" as const), texts, interval: fc.constantFrom(0, 50) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("unsubscribe" as const), texts }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("tick" as const), name: fc.constantFrom(...VISIBLE) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("hidden" as const), name: fc.constantFrom(...HIDDEN) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("policy" as const), index: fc.nat(ALLOWED.length - 1) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("pass" as const), millis: fc.constantFrom(1, 25, 300, 1_200) }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/**
 * Runs the steps.
 * @returns the messages to the client, without those that depend on what else happens in the same milliseconds: ticks,
 *     which may be conflated, and states, which any change of a state sends sooner
 */
function run(channel: Channel, steps: readonly Step[], hasHidden: boolean): readonly Control[] {
  const authority = new ChangingAuthority(channel);
  const heard: Control[] = [];
  const names = new Map<number, string>();
  const mayNot = (symbol: string) => authority.anonymous.entitlements.decide(channel, symbol)?.delay !== 0;
  const receiver: ClientReceiver = {
    control(message: Control) {
      if (message.op !== "status") heard.push(message);
      else for (const symbol of message.symbols) assert.ok(!HIDDEN.includes(symbol), `a state of ${symbol} was sent`);
      if (message.op !== "subscribed") return;
      // How many trades come first depends on what has been sent in these milliseconds.
      for (const granted of message.symbols) (granted as unknown[]).length = 2;
      for (const [symbol, handle] of message.symbols) {
        assert.ok(!mayNot(symbol), `${symbol} was granted`);
        names.set(handle, symbol);
      }
    },
    frame(_sentAt, ticks) {
      for (const [handle] of ticks) {
        const symbol = names.get(handle) as string;
        assert.ok(!mayNot(symbol), `a tick of ${symbol} was sent`);
      }
    },
  };
  const bench = new SessionBench("tickgate.v1.json", receiver, {}, undefined, authority);
  bench.session.open();
  const seqs = new Map<string, number>();
  // The numbers of rows depend on what there is: they are the same in both runs.
  const { table, topics } = bench.context.markets.of(marketOf(channel));
  const ingest = new Ingest(table, topics, bench.context.counts, bench.clock);
  for (const name of VISIBLE) table.hold(name, 100, 0);
  const tick = (name: string) => {
    seqs.set(name, (seqs.get(name) ?? 0) + 1);
    const seq = seqs.get(name) ?? 0;
    if (channel === "quote") return bench.record(name, { epoch: 1, seq });
    const record = Object.assign(table.payload.createRecord(), { symbol: name, epoch: 1, seq, eventTime: seq });
    if (record instanceof TradeRecord) record.price = record.size = seq;
    ingest.record(record);
    ingest.batchEnd();
  };
  for (const each of steps) {
    if (each.kind === "tick") tick(each.name);
    else if (each.kind === "hidden" && hasHidden) tick(each.name);
    else if (each.kind === "pass") bench.advance(each.millis);
    else if (each.kind === "policy") {
      authority.anonymous = identityOf(each.index, channel);
      bench.session.reviewIdentity();
    } else if (each.kind === "subscribe" || each.kind === "unsubscribe") {
      const command = each.kind === "subscribe" ? { interval: each.interval } : {};
      bench.send({ op: each.kind, id: 1, channel, symbols: each.texts, ...command });
      // Where new symbols are still to be compared with patterns, a command is executed one turn later.
      bench.advance(5);
    }
  }
  bench.advance(2_000);
  return heard;
}

for (const channel of CHANNELS)
  test(`${channel}: nothing that is not allowed is sent, and what is sent is the same whether hidden symbols exist or not`, () => {
    let attempts = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 80 }), (steps) => {
        attempts += steps.length;
        assert.deepEqual(run(channel, steps, true), run(channel, steps, false));
      }),
      { numRuns: channel === "quote" ? 400 : 200 },
    );
    assert.ok(attempts > 5_000, `${attempts} attempts`);
  });
