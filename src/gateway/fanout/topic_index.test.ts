import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "@msgpack/msgpack";
import fc from "fast-check";
import { ManualClock } from "../../base/clock.ts";
import type { TickEncoder } from "../../market/encoder.ts";
import { EncoderPool, quoteEncoders } from "../../market/encoder_pool.ts";
import { PublisherTable } from "../../market/publisher_table.ts";
import { QUOTE_MSGPACK } from "../../market/quote/quote_format.ts";
import type { RowEncoder } from "../../market/row_encoder.ts";
import { GatewayCounts } from "../counts.ts";
import { DONE, Flushable, FlushScheduler } from "./flush_scheduler.ts";
import { Frame } from "./frame.ts";
import { BYTES, LEFT_OUT, TICKS } from "./topic.ts";
import { AUDIT_BYTES, type BroadcastReceiver, type Publish, type TopicHolder, TopicIndex } from "./topic_index.ts";

const ROWS = 6;
/** After so many bytes a listener wants to be looked at. */
const UNSEEN = 100;
/** At most so many bytes are broadcast to others in one go. */
const TO_OTHERS = 4_000;
/** No frames of one tick are longer here, together. */
const FRAME_BYTES = 300;

/** How often a listener has been looked at. */
let looks = 0;

/** The row that has had a tick. */
let ticking = -1;
/** How often a subscriber that was catching up got a tick by broadcast. */
let superseded = 0;

/** A subscription, as far as the index knows it. */
class Holder extends Flushable implements TopicHolder, BroadcastReceiver {
  readonly encoder: RowEncoder;
  readonly index: TopicIndex;
  readonly rows = new Set<number>();
  readonly id: number;
  due = 0;
  changed = false;
  /** The topics that its socket has subscribed to. */
  readonly topics = new Set<string>();
  /** The `seq` of each row that it was told last; of what it holds while it listens. */
  readonly told = new Map<number, number>();
  /** Ticks and bytes that it got since it listens, or listens again. */
  got = 0;
  bytes = 0;
  /** Whether it gives up when it is looked at. */
  tired = false;
  #topics: number[] = [];
  /** The row of each entry. */
  #entries: number[] = [];
  #before = [0, 0, 0];
  #lookedAt = 0;
  readonly #table: PublisherTable;

  constructor(index: TopicIndex, encoder: RowEncoder, table: PublisherTable) {
    super();
    this.#table = table;
    this.index = index;
    this.encoder = encoder;
    this.id = index.register(this);
  }

  flush(): number {
    return DONE;
  }

  listen(): void {
    this.#topics = [];
    this.#entries = [...this.rows];
    for (const [entry, row] of this.#entries.entries()) {
      const { name: topic, at } = this.index.subscribeTopic(row, this.id, entry);
      this.topics.add(topic);
      this.#topics.push(at);
      this.told.set(row, this.#table.seq[row]);
    }
    this.index.startBroadcast(this);
    this.start();
  }

  unlisten(): void {
    if (this.topics.size === 0) return;
    this.index.stopBroadcast(this.id);
    for (const row of this.rows) assert.ok(this.topics.delete(this.index.unsubscribeTopic(row, this.id)));
  }

  audit(): void {
    looks++;
    assert.ok(this.index.published >= this.#lookedAt + UNSEEN, "it is time");
    this.checkSums();
    if (this.tired) {
      // What it does then tells nobody of a tick that has come: it must have been told of all.
      if (this.index.isBroadcastOnly(this.id))
        for (const row of this.rows) assert.equal(this.told.get(row), this.#table.seq[row]);
      this.unlisten();
    } else this.tend();
  }

  supersede(entry: number): void {
    superseded++;
    assert.equal(this.#entries[entry], ticking, "the entry is that of the row");
    assert.ok(this.rows.has(ticking) && this.changed);
  }

  account(): void {
    this.checkSums();
  }

  interrupt(_now: number, row: number, seq: number): void {
    this.checkSums();
    if (this.rows.has(row)) assert.equal(this.told.get(row), seq, "what it was told of the row that has changed");
  }

  resume(): boolean {
    this.start();
    return !this.changed;
  }

  start(): void {
    this.got = this.bytes = 0;
    this.#before = this.#sums();
    this.tend();
  }

  tend(): void {
    this.#lookedAt = this.index.published;
    this.index.auditAfter(this.id, UNSEEN);
  }

  /** What the index tells of its topics is what it got, and it has been looked at in time. */
  checkSums(): void {
    const sums = this.#sums().map((sum, index) => sum - this.#before[index]);
    assert.deepEqual(sums, [this.bytes, this.got, 0], "bytes, ticks, and the feed left nothing out");
    const unseen = this.index.published - this.#lookedAt;
    assert.ok(unseen <= UNSEEN + AUDIT_BYTES + TO_OTHERS + FRAME_BYTES, `${unseen} bytes unseen`);
  }

  #sums(): number[] {
    const { f64 } = this.index.numbers;
    return [BYTES, TICKS, LEFT_OUT].map((number) => this.#topics.reduce((sum, at) => sum + f64[at + number], 0));
  }
}

/** Notes who is hurried, and gives no turns. */
class NotingPacer extends FlushScheduler {
  readonly hurried: Flushable[] = [];

  override scheduleNow(paced: Flushable): void {
    this.hurried.push(paced);
  }
}

function open() {
  const server: { publish: Publish } = { publish: () => {} };
  const publish: Publish = (...frame) => server.publish(...frame);
  const clock = new ManualClock();
  const table = new PublisherTable(100);
  const pacer = new NotingPacer(clock, 4);
  const counts = new GatewayCounts({ metrics: false });
  const index = new TopicIndex({ scheduler: pacer, clock, table, frame: new Frame(table.heap), counts, publish });
  for (let row = 0; row < ROWS; row++) assert.equal(table.add(`S${row}`), row);
  const pool = new EncoderPool(quoteEncoders(table), 2);
  const encoders = [[0], [0, 2], [1]].map((fields) => pool.acquire(QUOTE_MSGPACK, Uint8Array.from(fields)));
  assert.deepEqual(
    encoders.map(({ isShared }) => isShared),
    [true, true, false],
  );
  return { clock, table, pacer, counts, index, encoders, server };
}

const step = fc.record({
  kind: fc.constantFrom(
    ...["enter", "leave", "add", "add", "add", "remove", "wake", "wake", "wake", "wake", "take", "take"],
    ...[
      "listen",
      "listen",
      "listen",
      "unlisten",
      "leave",
      "restate",
      "wait",
      "wait",
      "wait",
      "much",
      "much",
      "much",
      "tired",
    ],
  ),
  who: fc.nat(),
  row: fc.nat(ROWS - 1),
});

test("who listens is told each tick at once, who else holds its row is woken, once until it has looked; nobody else", () => {
  let broadcast = 0;
  let stops = 0;
  looks = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300, size: "max" }), (steps) => {
      const { clock, table, pacer, counts, index, encoders, server } = open();
      const holders: Holder[] = [];
      let others = 0;
      server.publish = (topic, bytes, isBinary) => {
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
          if (index.isBroadcastOnly(holder.id)) assert.equal(seq, told + 1);
          else assert.ok(holder.changed && seq > told, "it has arrears");
          assert.equal(ticks[0].length, 3 + (holder.encoder as TickEncoder).fields.length);
          holder.told.set(row, seq);
          holder.got++;
          holder.bytes += bytes.length;
          broadcast++;
        }
      };
      const wake = (row: number) => {
        const before = table.seq[row];
        const listening = new Set(
          holders.filter((holder) => holder.rows.has(row) && index.receivesBroadcast(holder.id)),
        );
        const wasOpen = index.gate.isOpen;
        table.merge(row, { bid: before }, clock.micros());
        // Just before that, as much has been broadcast to others.
        if (wasOpen && listening.size > 0) index.published += others;
        others = 0;
        ticking = row;
        index.deliver(row, before);
        // Unless the broadcast was closed before the tick.
        if (index.gate.isOpen || !wasOpen)
          for (const holder of listening) assert.equal(holder.told.get(row), before + 1, "it was told");
        else listening.clear();
        const expected = holders.filter((holder) => holder.rows.has(row) && !listening.has(holder) && !holder.changed);
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
        if (index.isBroadcastOnly(holder.id)) return;
        index.takeChanges(holder.id);
        index.markCaughtUp(holder.id, clock.millis());
        holder.changed = false;
        for (const each of holder.rows) holder.told.set(each, table.seq[each]);
      };
      for (const { kind, who, row } of [...first, ...steps]) {
        clock.advance(1);
        pacer.ranAt = clock.millis();
        pacer.runs++;
        if (kind === "enter") {
          const holder = new Holder(index, encoders[who % encoders.length], table);
          assert.ok(!holders.some(({ id }) => id === holder.id), "an id is one subscription's");
          assert.ok(!index.hasChanged(holder.id) && !index.isBroadcastOnly(holder.id));
          holders.push(holder);
        } else if (kind === "wake") wake(row);
        else if (kind === "much") others = Math.min(TO_OTHERS, 40 * who);
        else if (kind === "restate" && row === 0) table.restate(row, 1, clock.micros(), "silent");
        else if (kind === "wait") {
          clock.advance(300);
          pacer.ranAt = clock.millis();
          index.tryOpen(clock.millis());
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
          } else if (kind === "tired") holder.tired = !holder.tired;
          else if (kind === "take") take(holder);
          else if (kind === "listen")
            for (const each of holders) {
              take(each);
              if (each.encoder.isShared && each.topics.size === 0 && index.gate.isOpen && each.rows.size > 0)
                each.listen();
            }
          else if (kind === "unlisten") holder.unlisten();
          else if (kind === "leave") {
            holder.unlisten();
            for (const held of holder.rows) index.remove(held, holder.id);
            index.unregister(holder.id);
            holders.splice(holders.indexOf(holder), 1);
          }
        }
        for (const holder of holders) {
          assert.equal(index.hasChanged(holder.id), holder.changed);
          if (index.receivesBroadcast(holder.id)) holder.checkSums();
        }
        for (let each = 0; each < ROWS; each++)
          assert.equal(index.countOf(each), holders.filter(({ rows }) => rows.has(each)).length);
        assert.equal(index.broadcastConnections, holders.filter(({ topics }) => topics.size > 0).length);
      }
      assert.equal(counts.ticksOut, counts.ticksBroadcast);
      stops += counts.broadcastStops.status;
    }),
    { numRuns: 500 },
  );
  assert.ok(
    broadcast > 300 && stops > 30 && looks > 100 && superseded > 0,
    `${broadcast} ticks broadcast, ${stops} stops, ${looks} looks, ${superseded} superseded`,
  );
});

test("a node that falls behind gives turns, later than ever broadcasts again, and each is told all by either", () => {
  const { clock, table, pacer, counts, index, encoders, server } = open();
  const holder = new Holder(index, encoders[0], table);
  holder.rows.add(0);
  index.add(0, holder.id);
  let broadcast = 0;
  server.publish = () => {
    broadcast++;
    holder.told.set(0, table.seq[0]);
  };
  holder.audit = () => holder.tend();
  holder.interrupt = () => {};
  holder.account = () => {};
  holder.supersede = () => {};
  holder.resume = () => {
    return !index.hasChanged(holder.id);
  };
  /** Time passes, in goes of the event loop that take so long, ms; each brings a tick. */
  const pass = (millis: number, go: number) => {
    for (let time = 0; time < millis; time += go) {
      clock.advance(go);
      pacer.ranAt = clock.millis();
      pacer.runs++;
      index.tryOpen(clock.millis());
      table.merge(0, { bid: 1 }, clock.micros());
      index.deliver(0, table.seq[0] - 1);
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
  holder.listen();
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
  index.takeChanges(holder.id);
  index.markCaughtUp(holder.id, clock.millis());
  pass(5_000, 10);
  // Open again it tells at once what comes, and what came before is still owed.
  const opens: number[] = [];
  for (let stops = 2; stops < 10; stops++) {
    // One very long go, soon after it was opened.
    clock.advance(110);
    table.merge(0, { bid: 1 }, clock.micros());
    index.deliver(0, table.seq[0] - 1);
    assert.equal(counts.broadcastStops.busy, stops);
    assert.ok(!index.gate.isOpen);
    opens.push(passUntil(true, 10, 60_000));
    assert.ok(index.receivesBroadcast(holder.id) && !index.isBroadcastOnly(holder.id));
    index.takeChanges(holder.id);
    assert.ok(index.hasChanged(holder.id));
    const told: number = broadcast;
    pass(10, 10);
    assert.equal(broadcast, told + 1);
    index.markCaughtUp(holder.id, clock.millis());
    assert.ok(index.isBroadcastOnly(holder.id) && !index.hasChanged(holder.id));
  }
  assert.ok(opens[0] <= 110, `${opens}`);
  for (let each = 1; each < opens.length; each++)
    assert.ok(opens[each] > opens[each - 1] * 3 || opens[each] > 59_000, `${opens}`);
  // Turns that come late leave out more and more: it stays closed.
  for (let turn = 0; turn < 100; turn++) index.gate.noteLateness(60);
  passUntil(false, 10, 260);
  pass(200_000, 10);
  assert.ok(!index.gate.isOpen);
  for (let turn = 0; turn < 100; turn++) index.gate.noteLateness(5);
  // All is well for some time: then a hiccup costs no more than the first one did.
  passUntil(true, 10, 10);
  pass(10_000, 10);
  passUntil(false, 30, 540);
  passUntil(true, 10, 110);
});
