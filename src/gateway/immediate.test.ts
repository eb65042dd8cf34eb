import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "@msgpack/msgpack";
import fc from "fast-check";
import { ManualClock } from "../clock.ts";
import { EncoderPool, type TickEncoder } from "../market/encoder.ts";
import { MSGPACK } from "../market/format.ts";
import { MarketTable } from "../market/table.ts";
import { GatewayCounts } from "./counts.ts";
import { Frame } from "./frame.ts";
import {
  BUDGET,
  BYTES_LEFT,
  type ImmediateHolder,
  ImmediateIndex,
  type ImmediateListener,
  LEFT_OUT,
  TICKS_LEFT,
} from "./immediate.ts";
import { DONE, Paced, Pacer } from "./pacer.ts";

const ROWS = 6;
/** Ticks that a listener gets until it is looked at. */
const TICKS = 5;

/** A subscription, as far as the index knows it. */
class Holder extends Paced implements ImmediateHolder, ImmediateListener {
  readonly encoder: TickEncoder;
  readonly index: ImmediateIndex;
  readonly rows = new Set<number>();
  readonly id: number;
  due = 0;
  changed = false;
  /** The topics that its socket has subscribed to. */
  readonly topics = new Set<string>();
  /** The `seq` of each row that it was told last; of what it holds while it listens. */
  readonly told = new Map<number, number>();
  /** Ticks that it got since its last budget. */
  got = 0;
  bytes = 0;

  constructor(index: ImmediateIndex, encoder: TickEncoder) {
    super();
    this.index = index;
    this.encoder = encoder;
    this.id = index.enter(this);
  }

  flush(): number {
    return DONE;
  }

  listen(seqOf: (row: number) => number): void {
    for (const row of this.rows) {
      this.topics.add(this.index.topicOf(row, this.id));
      this.told.set(row, seqOf(row));
    }
    this.index.listen(this);
    this.grant();
  }

  unlisten(): void {
    this.topics.clear();
    this.index.unlisten(this.id);
  }

  spent(): void {
    assert.equal(this.got, TICKS, "the budget is used up");
    this.grant();
  }

  overtaken(row: number): void {
    assert.ok(this.rows.has(row) && this.changed);
  }

  settle(): void {
    this.checkBudget();
  }

  interrupted(_now: number, row: number, seq: number): void {
    this.checkBudget();
    if (this.rows.has(row)) assert.equal(this.told.get(row), seq, "what it was told of the row that has changed");
  }

  resumed(): boolean {
    this.grant();
    return !this.changed;
  }

  grant(): void {
    const at = this.id * BUDGET;
    this.index.budgets[at + BYTES_LEFT] = 1_000_000;
    this.index.budgets[at + TICKS_LEFT] = TICKS;
    this.index.budgets[at + LEFT_OUT] = 0;
    this.got = this.bytes = 0;
  }

  checkBudget(): void {
    const at = this.id * BUDGET;
    assert.equal(this.index.budgets[at + TICKS_LEFT], TICKS - this.got);
    assert.equal(this.index.budgets[at + BYTES_LEFT], 1_000_000 - this.bytes);
    assert.equal(this.index.budgets[at + LEFT_OUT], 0, "the feed left nothing out");
  }
}

/** Notes who is hurried, and gives no turns. */
class NotingPacer extends Pacer {
  readonly hurried: Paced[] = [];

  override hurry(paced: Paced): void {
    this.hurried.push(paced);
  }
}

function open() {
  const clock = new ManualClock();
  const table = new MarketTable(100);
  const pacer = new NotingPacer(clock, 4);
  const counts = new GatewayCounts({ metrics: false });
  const index = new ImmediateIndex({ pacer, clock, table, frame: new Frame(table.heap), counts });
  for (let row = 0; row < ROWS; row++) assert.equal(table.add(`S${row}`), row);
  const pool = new EncoderPool(table, 2);
  const encoders = [[0], [0, 2], [1]].map((fields) => pool.acquire(MSGPACK, Uint8Array.from(fields)));
  assert.deepEqual(
    encoders.map(({ isShared }) => isShared),
    [true, true, false],
  );
  return { clock, table, pacer, counts, index, encoders };
}

const step = fc.record({
  kind: fc.constantFrom(
    ...["enter", "leave", "add", "add", "add", "remove", "wake", "wake", "wake", "wake", "take", "take"],
    ...["listen", "listen", "listen", "unlisten", "leave", "restate", "wait", "wait", "wait"],
  ),
  who: fc.nat(),
  row: fc.nat(ROWS - 1),
});

test("who listens is told each tick at once, who else holds its row is woken, once until it has looked; nobody else", () => {
  let broadcast = 0;
  let stops = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300, size: "max" }), (steps) => {
      const { clock, table, pacer, counts, index, encoders } = open();
      const holders: Holder[] = [];
      index.publish = (topic, bytes, isBinary) => {
        assert.ok(isBinary);
        const [sentAt, ...ticks] = decode(bytes) as [number, ...[row: number, seq: number][]];
        assert.equal(sentAt, clock.micros());
        assert.equal(ticks.length, 1);
        const [[row, seq]] = ticks;
        const heard = holders.filter(({ topics }) => topics.has(topic));
        assert.ok(heard.length > 0, "nobody hears it");
        for (const holder of heard) {
          assert.ok(holder.rows.has(row));
          const told = holder.told.get(row) ?? 0;
          if (index.isListening(holder.id)) assert.equal(seq, told + 1);
          else assert.ok(holder.changed && seq > told, "it has arrears");
          assert.equal(ticks[0].length, 3 + holder.encoder.fields.length);
          holder.told.set(row, seq);
          holder.got++;
          holder.bytes += bytes.length;
          broadcast++;
        }
      };
      const wake = (row: number) => {
        const before = table.seq[row];
        const listening = holders.filter((holder) => holder.rows.has(row) && index.hears(holder.id));
        table.merge(row, { bid: before }, clock.micros());
        index.wake(row, before);
        for (const holder of listening)
          if (index.hears(holder.id)) assert.equal(holder.told.get(row), before + 1, "it was told");
        const expected = holders.filter((holder) => holder.rows.has(row) && !index.hears(holder.id) && !holder.changed);
        const hurried = pacer.hurried.splice(0);
        assert.equal(hurried.length, expected.length);
        for (const holder of expected) {
          assert.ok(hurried.includes(holder));
          assert.equal(holder.due, clock.millis(), "its turn is due now");
          holder.changed = true;
        }
      };
      const first = ["enter", "enter", "add", "add", "listen", "listen"].map((kind, who) => ({ kind, who, row: 0 }));
      const take = (holder: Holder) => {
        if (index.isListening(holder.id)) return;
        index.take(holder.id);
        index.caughtUp(holder.id);
        holder.changed = false;
        for (const each of holder.rows) holder.told.set(each, table.seq[each]);
      };
      for (const { kind, who, row } of [...first, ...steps]) {
        clock.advance(1);
        pacer.ranAt = clock.millis();
        pacer.runs++;
        if (kind === "enter") {
          const holder = new Holder(index, encoders[who % encoders.length]);
          assert.ok(!holders.some(({ id }) => id === holder.id), "an id is one subscription's");
          assert.ok(!index.hasChanged(holder.id) && !index.isListening(holder.id));
          holders.push(holder);
        } else if (kind === "wake") wake(row);
        else if (kind === "restate" && row === 0) table.restate(row, 1, clock.micros(), "silent");
        else if (kind === "wait") {
          clock.advance(300);
          pacer.ranAt = clock.millis();
          index.look(clock.millis());
        } else if (holders.length > 0) {
          const holder = holders[who % holders.length];
          if (kind === "add" && !holder.rows.has(row)) {
            holder.unlisten();
            holder.rows.add(row);
            index.add(row, holder.id);
          } else if (kind === "remove" && holder.rows.has(row)) {
            holder.unlisten();
            holder.rows.delete(row);
            index.remove(row, holder.id);
          } else if (kind === "take") take(holder);
          else if (kind === "listen")
            for (const each of holders) {
              take(each);
              if (each.encoder.isShared && each.topics.size === 0 && index.gate.isOpen && each.rows.size > 0)
                each.listen((held) => table.seq[held]);
            }
          else if (kind === "unlisten") holder.unlisten();
          else if (kind === "leave") {
            holder.unlisten();
            for (const held of holder.rows) index.remove(held, holder.id);
            index.leave(holder.id);
            holders.splice(holders.indexOf(holder), 1);
          }
        }
        for (const holder of holders) {
          assert.equal(index.hasChanged(holder.id), holder.changed);
          if (index.hears(holder.id)) holder.checkBudget();
        }
        for (let each = 0; each < ROWS; each++)
          assert.equal(index.countOf(each), holders.filter(({ rows }) => rows.has(each)).length);
        assert.equal(index.listeners, holders.filter(({ topics }) => topics.size > 0).length);
      }
      assert.equal(counts.ticksOut, counts.ticksBroadcast);
      stops += counts.broadcastStops.status;
    }),
    { numRuns: 500 },
  );
  assert.ok(broadcast > 300 && stops > 30, `${broadcast} ticks broadcast, ${stops} stops`);
});

test("a node that falls behind gives turns, later than ever broadcasts again, and each is told all by either", () => {
  const { clock, table, pacer, counts, index, encoders } = open();
  const holder = new Holder(index, encoders[0]);
  holder.rows.add(0);
  index.add(0, holder.id);
  let broadcast = 0;
  index.publish = () => {
    broadcast++;
    holder.told.set(0, table.seq[0]);
  };
  holder.spent = () => holder.grant();
  holder.interrupted = () => {};
  holder.settle = () => {};
  holder.overtaken = () => {};
  holder.resumed = () => {
    holder.grant();
    return !index.hasChanged(holder.id);
  };
  /** Time passes, in goes of the event loop that take so long, ms; each brings a tick. */
  const pass = (millis: number, go: number) => {
    for (let time = 0; time < millis; time += go) {
      clock.advance(go);
      pacer.ranAt = clock.millis();
      pacer.runs++;
      index.look(clock.millis());
      table.merge(0, { bid: 1 }, clock.micros());
      index.wake(0, table.seq[0] - 1);
    }
  };
  /** Until the broadcast is open or closed, at most so long. @returns how long it took, ms */
  const passUntil = (isOpen: boolean, go: number, most: number) => {
    const from = clock.millis();
    while (index.gate.isOpen !== isOpen && clock.millis() - from <= most) pass(go, go);
    const took = clock.millis() - from;
    assert.ok(took <= most, `${took} ms`);
    return took;
  };
  holder.listen(() => table.seq[0]);
  pass(10_000, 20);
  assert.equal(broadcast, 500);
  // A long go is made up for by the next ones.
  pass(90, 90);
  pass(1_000, 5);
  assert.ok(index.gate.isOpen);
  // Every go takes long: that is found out after a quarter of a second, or two.
  passUntil(false, 30, 540);
  assert.ok(index.hasChanged(holder.id));
  assert.deepEqual(counts.broadcastStops, { status: 0, busy: 1 });
  passUntil(true, 10, 110);
  index.take(holder.id);
  index.caughtUp(holder.id);
  pass(5_000, 10);
  // Open again it tells at once what comes, and what came before is still owed.
  const opens: number[] = [];
  for (let stops = 2; stops < 10; stops++) {
    // One very long go, soon after it was opened.
    clock.advance(110);
    table.merge(0, { bid: 1 }, clock.micros());
    index.wake(0, table.seq[0] - 1);
    assert.equal(counts.broadcastStops.busy, stops);
    assert.ok(!index.gate.isOpen);
    opens.push(passUntil(true, 10, 60_000));
    assert.ok(index.hears(holder.id) && !index.isListening(holder.id));
    index.take(holder.id);
    assert.ok(index.hasChanged(holder.id));
    const told: number = broadcast;
    pass(10, 10);
    assert.equal(broadcast, told + 1);
    index.caughtUp(holder.id);
    assert.ok(index.isListening(holder.id) && !index.hasChanged(holder.id));
  }
  assert.ok(opens[0] <= 110, `${opens}`);
  for (let each = 1; each < opens.length; each++)
    assert.ok(opens[each] > opens[each - 1] * 3 || opens[each] > 59_000, `${opens}`);
  // Turns that come late leave out more and more: it stays closed.
  for (let turn = 0; turn < 100; turn++) index.gate.turned(60);
  passUntil(false, 10, 260);
  pass(200_000, 10);
  assert.ok(!index.gate.isOpen);
  for (let turn = 0; turn < 100; turn++) index.gate.turned(5);
  // All is well for some time: then a hiccup costs no more than the first one did.
  passUntil(true, 10, 10);
  pass(10_000, 10);
  passUntil(false, 30, 540);
  passUntil(true, 10, 110);
});
