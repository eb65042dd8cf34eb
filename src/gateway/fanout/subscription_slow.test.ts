/** The heart of the gateway, under any interleaving: what protocol.md says that a client may rely on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ClientReceiver, SessionBench, valuesOf, type WireTick } from "../../../test/support/session_bench.ts";
import { CLOSED, fieldIndex, LIVE, STALE, STATES } from "../../base/tick.ts";
import type { Control, Subprotocol } from "../../protocol/messages.ts";
import { CommandScheduler } from "../session/command_scheduler.ts";

const SYMBOLS = ["V:A", "V:AB", "V:B", "W:A", "W:B", "X"];
const LIMIT = 5;

/** What has been published of a symbol. */
class Source {
  epoch = 1;
  seq = 0;
  /** Ticks that the gateway was given. */
  given = 0;
  /** `given` at the last gap or reset. */
  gapAt = 0;
  resetAt = 0;
  state: number = LIVE;
}

/** What a client knows of a handle. */
interface Held {
  readonly symbol: string;
  interval: number;
  fields: readonly string[];
  /** When its last tick came; undefined before the snapshot. */
  at: number | undefined;
  state: string;
  /** The tick that it shows, and how many the gateway had been given then. */
  tick: WireTick | undefined;
  given: number;
  /** Whether a gap or reset has been told since that tick. */
  gapTold: boolean;
  resetTold: boolean;
}

/** A client that believes nothing: each message is held against the promises. */
class Client implements ClientReceiver {
  readonly held = new Map<number, Held>();
  readonly handles = new Map<string, number>();
  readonly sources = new Map(SYMBOLS.map((symbol) => [symbol, new Source()]));
  bench!: SessionBench;
  conflated = 0;
  ticks = 0;

  control(message: Control): void {
    switch (message.op) {
      case "subscribed":
        for (const [symbol, handle] of message.symbols) this.#granted(symbol, handle, message.interval, message.fields);
        return;
      case "unsubscribed":
        for (const symbol of message.symbols) {
          const handle = this.handles.get(symbol);
          assert.ok(handle !== undefined, `${symbol} was not held`);
          this.handles.delete(symbol);
          this.held.delete(handle);
        }
        return;
      case "status":
        for (const symbol of message.symbols) {
          const held = this.held.get(this.handles.get(symbol) ?? -1);
          assert.ok(held, `status of ${symbol}, which is not held`);
          if (message.state !== "gap") held.state = message.state;
          else if (message.reason === "reset") held.resetTold = true;
          else held.gapTold = true;
        }
        return;
      case "error":
        assert.equal(message.code, "not_subscribed");
        return;
      default:
        assert.notEqual(message.op, "bye");
    }
  }

  frame(_sentAt: number, ticks: WireTick[], bytes: number): void {
    assert.ok(ticks.length > 0, "an empty frame");
    assert.ok(ticks.length === 1 || bytes <= this.bench.outbound.narrow, `${bytes} bytes`);
    assert.ok(bytes <= 65_536);
    assert.equal(new Set(ticks.map(([handle]) => handle)).size, ticks.length, "a handle twice in a frame");
    for (const tick of ticks) this.#tick(tick);
  }

  /** Once the market rests, all that is held is what was published last. */
  checkConverged(): void {
    for (const held of this.held.values()) {
      const source = this.sources.get(held.symbol)!;
      assert.equal(held.state, source.given === 0 ? "stale" : STATES[source.state], `the state of ${held.symbol}`);
      assert.equal(held.tick?.[1] ?? 0, source.seq, `${held.symbol} rests`);
      if (held.tick) this.#checkValues(held, held.tick, source);
    }
  }

  #granted(symbol: string, handle: number, interval: number, fields: readonly string[]): void {
    const before = this.handles.get(symbol);
    if (before !== undefined) assert.equal(handle, before, "a symbol keeps its handle");
    assert.equal(this.held.get(handle)?.symbol ?? symbol, symbol, "a handle is one symbol's");
    this.handles.set(symbol, handle);
    const known = this.held.get(handle);
    if (known) Object.assign(known, { interval, fields, at: undefined });
    else
      this.held.set(handle, {
        symbol,
        interval,
        fields,
        at: undefined,
        state: "live",
        tick: undefined,
        given: 0,
        gapTold: false,
        resetTold: false,
      });
  }

  #tick(tick: WireTick): void {
    const [handle, seq] = tick;
    const held = this.held.get(handle);
    assert.ok(held, `a tick of the handle ${handle}, which is not held`);
    const source = this.sources.get(held.symbol)!;
    const now = this.bench.clock.millis();
    if (held.at !== undefined)
      assert.ok(now - held.at >= held.interval, `${held.symbol} after ${now - held.at} of ${held.interval} ms`);
    assert.equal(held.state, STATES[source.state], "the state is sent before the tick");
    this.#checkValues(held, tick, source);
    if (held.tick) {
      const before = held.tick[1];
      if (!held.resetTold) assert.ok(seq > before || (seq === before && held.at === undefined), `${before} → ${seq}`);
      if (source.resetAt > held.given) assert.ok(held.resetTold, "a reset was not told before its tick");
      if (source.gapAt > held.given) assert.ok(held.gapTold || held.resetTold, "a gap was not told before its tick");
      if (!held.gapTold && !held.resetTold) {
        assert.equal(seq - before, source.given - held.given, "seq counts what was conflated");
        if (held.at !== undefined) this.conflated += seq - before - 1;
      }
    }
    Object.assign(held, { at: now, tick, given: source.given, gapTold: false, resetTold: false });
    this.ticks++;
  }

  #checkValues(held: Held, [, seq, eventTime, ...values]: WireTick, source: Source): void {
    assert.equal(seq, source.seq, "a tick holds what stands at the time");
    assert.equal(eventTime, source.epoch * 1_000_000 + source.seq);
    const all = valuesOf(source.epoch, source.seq);
    const wanted = held.fields.map((field) => all[fieldIndex(field)]);
    assert.deepEqual(
      values,
      wanted.map((value) => (Number.isNaN(value) ? null : value)),
    );
  }
}

type Step = (client: Client) => void;
type CreateCommands = ConstructorParameters<typeof SessionBench>[3];

function published(symbol: string, change: (source: Source) => boolean): Step {
  return (client) => {
    const source = client.sources.get(symbol)!;
    const healed = change(source);
    source.given++;
    if (source.seq === 0) source.seq = 1;
    if (healed && source.given > 1 && source.resetAt !== source.given) source.gapAt = source.given;
    client.bench.record(symbol, { epoch: source.epoch, seq: source.seq, healed, state: source.state });
  };
}

const symbol = fc.constantFrom(...SYMBOLS);
const texts = fc.array(fc.constantFrom(...SYMBOLS, ...SYMBOLS, "V:*", "V:A*", "W:*", "*"), {
  minLength: 1,
  maxLength: 4,
});

const ticked = (name: string) =>
  published(name, (source) => {
    source.seq++;
    source.state = LIVE;
    return false;
  });

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: symbol.map(ticked),
  },
  {
    weight: 2,
    arbitrary: fc.constant((client: Client) => {
      for (const each of SYMBOLS) ticked(each)(client);
    }),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(symbol, fc.integer({ min: 1, max: 5 })).map(([name, missed]) =>
      published(name, (source) => {
        source.seq += missed;
        return true;
      }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(symbol, fc.integer({ min: 1, max: 4 })).map(([name, seq]) =>
      published(name, (source) => {
        const before = source.seq;
        source.epoch++;
        source.seq = seq;
        if (seq <= before) source.resetAt = source.given + 1;
        return true;
      }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(symbol, fc.constantFrom(LIVE, STALE, CLOSED)).map(
      ([name, state]): Step =>
        (client) => {
          const source = client.sources.get(name)!;
          if (source.seq === 0) return;
          source.state = state;
          client.bench.record(name, { epoch: source.epoch, seq: source.seq, state });
        },
    ),
  },
  {
    weight: 3,
    arbitrary: fc
      // Few combinations, so that symbols meet in one subscription.
      .record({
        symbols: texts,
        interval: fc.constantFrom(0, 0, 100, 100, 500),
        fields: fc.constantFrom(["bid"], ["bid"], ["bid"], ["last", "bid", "volume"]),
      })
      .map(
        (command): Step =>
          (client) =>
            client.bench.send({ op: "subscribe", ...command }),
      ),
  },
  {
    weight: 1,
    arbitrary: texts.map(
      (symbols): Step =>
        (client) =>
          client.bench.send({ op: "unsubscribe", symbols }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(0, 1, 1, 100, 150, 65_536).map(
      (narrow): Step =>
        (client) => {
          client.bench.outbound.narrow = narrow;
          client.bench.session.handleDrain();
        },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(0, 1).map(
      (buffered): Step =>
        (client) => {
          client.bench.socket.buffered = buffered;
          if (buffered === 0) client.bench.session.handleDrain();
        },
    ),
  },
  {
    weight: 6,
    arbitrary: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constant(300)).map(
      (steps): Step =>
        ({ bench }) =>
          bench.advance(steps * 5),
    ),
  },
);

/** Plays the steps, then lets the market rest, checks, and leaves. */
function play(subprotocol: Subprotocol, steps: readonly Step[], createCommands?: CreateCommands): Client {
  const client = new Client();
  const own = { maxSymbolsPerConnection: LIMIT, commandsPerSecond: 100_000, maxFieldLists: 2 };
  const bench = new SessionBench(subprotocol, client, own, createCommands);
  client.bench = bench;
  bench.session.open();
  const { counts, table, encoders } = bench.context;
  for (const each of steps) {
    each(client);
    assert.equal(counts.subscriptions, client.held.size, "what the gateway holds is what it has said");
    assert.ok(client.held.size <= LIMIT);
  }
  bench.outbound.narrow = 65_536;
  bench.socket.buffered = 0;
  bench.session.handleDrain();
  bench.advance(2_000);
  client.checkConverged();
  assert.equal(counts.ticksConflated, client.conflated);
  assert.equal(counts.ticksOut, client.ticks);
  // What a turn sends is counted with it, what is broadcast when the session is looked at.
  bench.advance(250);
  assert.equal(bench.outbound.ticks + counts.snapshotsOut, client.ticks);
  assert.equal(bench.outbound.conflated, client.conflated);
  const { feed, interval, server, client: slow } = counts.conflatedBy;
  for (const share of [feed, interval, server, slow]) assert.ok(share > -1e-6, `${share}`);
  assert.ok(Math.abs(feed + interval + server + slow - counts.ticksConflated) < 1e-6);

  bench.send({ op: "unsubscribe", symbols: ["*"] });
  bench.advance(250);
  assert.equal(client.held.size, 0);
  for (const name of SYMBOLS) published(name, (source) => source.seq++ < 0)(client);
  bench.advance(1_000);
  bench.send({ op: "subscribe", symbols: ["LATER", "*"] });
  bench.session.close("goingAway", "the end");
  while (bench.context.commands.waiting > 0) bench.context.commands.run();
  assert.equal(counts.subscriptions, 0);
  assert.equal(table.awaitedRows, 0);
  assert.equal(encoders.size, 0);
  assert.equal(bench.bus.followed.size, 0);
  assert.equal(bench.closeCode, 1001);
  bench.advance(100);
  return client;
}

for (const subprotocol of ["tickgate.v1.msgpack", "tickgate.v1.json"] as const)
  test(`whatever happens, in whatever order, ${subprotocol} keeps its promises`, () => {
    let broadcast = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 80, size: "max" }), (steps) => {
        broadcast += play(subprotocol, steps).bench.context.counts.ticksBroadcast;
      }),
      { numRuns: 4_000 },
    );
    assert.ok(broadcast > 1_000, `only ${broadcast} ticks were broadcast`);
  });

test("the same holds where a command takes many turns, of one symbol each", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 80, size: "max" }), (steps) => {
      play("tickgate.v1.msgpack", steps, (clock) => new CommandScheduler(clock, 0, 1));
    }),
    { numRuns: 3_000 },
  );
});
