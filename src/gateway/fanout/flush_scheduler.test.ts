import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ManualClock, SystemClock } from "../../base/clock.ts";
import { AGAIN, DONE, Flushable, FlushScheduler } from "./flush_scheduler.ts";

class Turn extends Flushable {
  readonly name: string;
  readonly taken: { name: string; at: number }[];
  readonly onTurn: (now: number) => number;

  constructor(name: string, taken: { name: string; at: number }[], onTurn: (now: number) => number = () => DONE) {
    super();
    this.name = name;
    this.taken = taken;
    this.onTurn = onTurn;
  }

  flush(now: number): number {
    this.taken.push({ name: this.name, at: now });
    return this.onTurn(now);
  }
}

/** A turn that tells that it has come. */
function done(tell: (now: number) => void): (now: number) => number {
  return (now) => {
    tell(now);
    return DONE;
  };
}

function bench() {
  const clock = new ManualClock();
  const taken: { name: string; at: number }[] = [];
  return { clock, taken, pacer: new FlushScheduler(clock, 4) };
}

/** Lets time pass in steps as the pacer's timer would. */
function pass(clock: ManualClock, pacer: FlushScheduler, millis: number, step = 4): void {
  for (let passed = 0; passed < millis; passed += step) {
    clock.advance(Math.min(step, millis - passed));
    pacer.run();
  }
}

test("a turn comes once, never before it is due and not much later", () => {
  const { clock, taken, pacer } = bench();
  for (const due of [0, 1, 3.9, 4, 4.1, 99.5, 1_000, 65_535, 65_536, 65_537, 200_000])
    pacer.schedule(new Turn(String(due), taken), due);
  pass(clock, pacer, 200_100);
  assert.equal(taken.length, 11);
  for (const { name, at } of taken) {
    assert.ok(at >= Number(name), `${name} at ${at}`);
    assert.ok(at - Number(name) <= 8, `${name} at ${at}`);
  }
});

test("what stood still for longer than a revolution of the wheel gets its turns once", () => {
  const { clock, taken, pacer } = bench();
  for (const due of [10, 70_000, 300_000, 500_000]) pacer.schedule(new Turn(String(due), taken), due);
  clock.advance(400_000);
  pacer.run();
  assert.deepEqual(taken.map(({ name }) => name).sort(), ["10", "300000", "70000"]);
  pass(clock, pacer, 100_008);
  assert.equal(taken.length, 4);
});

test("what is due in the past or right now gets its turn at once", () => {
  const { clock, taken, pacer } = bench();
  clock.advance(1_000);
  pacer.run();
  pacer.schedule(new Turn("past", taken), 3);
  pacer.schedule(new Turn("now", taken), 1_000);
  pass(clock, pacer, 8);
  assert.equal(taken.length, 2);
});

test("turns go round; who wants another one gets it when the others have had theirs, and waits for the next slice", () => {
  const { taken, pacer } = bench();
  let more = 2;
  const greedy = new Turn("greedy", taken, () => (more-- > 0 ? AGAIN : DONE));
  pacer.scheduleNow(greedy);
  for (const name of ["a", "b"]) pacer.scheduleNow(new Turn(name, taken));
  pacer.run();
  pacer.scheduleNow(new Turn("c", taken));
  assert.deepEqual(
    taken.map(({ name }) => name),
    ["greedy", "a", "b"],
  );
  pacer.run();
  pacer.run();
  assert.deepEqual(
    taken.map(({ name }) => name),
    ["greedy", "a", "b", "c", "greedy", "greedy"],
  );
  assert.equal(pacer.waiting, 0);
});

test("a slice ends when its time is over, and the next one goes on where it was", () => {
  const { clock, taken, pacer } = bench();
  const names = Array.from({ length: 5_000 }, (_, index) => String(index));
  // Each turn costs 0.25 ms, so a slice of 4 ms has 16 of them.
  const cost = () => {
    clock.advance(0.25);
    return DONE;
  };
  for (const name of names) pacer.scheduleNow(new Turn(name, taken, cost));
  let slices = 0;
  while (pacer.waiting > 0) {
    const [start, before] = [clock.millis(), taken.length];
    pacer.run();
    assert.ok(clock.millis() - start <= 4 + 8 * 0.25, `a slice of ${clock.millis() - start} ms`);
    assert.ok(taken.length > before);
    slices++;
  }
  assert.ok(slices >= 5_000 / 24 && slices <= 5_000 / 15, `${slices} slices`);
  assert.deepEqual(
    taken.map(({ name }) => name),
    names,
  );
});

test("first turns of those that begin at once are spread over the interval, neighbours next to one another", () => {
  for (const [interval, spread] of [
    [7, 7],
    [100, 100],
    [60_000, 250],
  ]) {
    const { clock, taken, pacer } = bench();
    clock.advance(12_345.6);
    const earliest = clock.millis() + interval;
    const dues = Array.from({ length: 5_000 }, (_, index) =>
      pacer.scheduleFirst(new Turn(String(index), taken), interval, 50, clock.millis()),
    );
    const tenths = new Array<number>(10).fill(0);
    dues.forEach((due, index) => {
      assert.ok(due >= earliest && due < earliest + spread, `${due} of ${earliest}`);
      tenths[Math.floor(((due - earliest) / spread) * 10)]++;
      const apart = (due - (dues[index - 1] ?? due - 0.12) + spread) % spread;
      assert.ok(Math.abs(apart - 0.12) < 1e-6, `${apart} ms apart`);
    });
    for (const count of tenths) assert.ok(count > 250 && count < 750, `${tenths}`);
  }
});

test("turns that take long are further apart", () => {
  const { taken, pacer } = bench();
  const [first, second] = [0, 1].map((name) => pacer.scheduleFirst(new Turn(String(name), taken), 1_000, 20_000, 0));
  assert.ok(second - first > 8, `${second - first} ms`);
});

test("who has ended gets no turn and takes no place, however often it is asked for", () => {
  const { clock, taken, pacer } = bench();
  const before = new Turn("before", taken);
  pacer.schedule(before, 10);
  const { position: place } = before;
  for (let round = 0; round < 1_000; round++) {
    const turn = new Turn("ended", taken);
    if (round % 2 === 0) pacer.scheduleNow(turn);
    pacer.schedule(turn, 5);
    turn.isClosed = true;
    pacer.cancel(turn);
    pacer.scheduleNow(turn);
    pacer.schedule(turn, 5);
    pacer.run();
  }
  pacer.cancel(before);
  const after = new Turn("after", taken);
  pacer.schedule(after, 10);
  assert.ok(after.position <= place + 1, `place ${after.position}`);
  pass(clock, pacer, 20);
  assert.deepEqual(
    taken.map(({ name }) => name),
    ["after"],
  );
});

test("one that is cancelled while it waits gets no turn, nor does who has its place then", () => {
  const { clock, taken, pacer } = bench();
  const waits = new Turn("waits", taken);
  const late = new Turn("late", taken);
  pacer.scheduleNow(
    new Turn("first", taken, () => {
      waits.isClosed = true;
      pacer.cancel(waits);
      pacer.schedule(late, clock.millis() + 20);
      return DONE;
    }),
  );
  pacer.scheduleNow(waits);
  pacer.run();
  pacer.run();
  assert.deepEqual(
    taken.splice(0).map(({ name }) => name),
    ["first"],
  );
  pass(clock, pacer, 28);
  assert.deepEqual(
    taken.map(({ name }) => name),
    ["late"],
  );
});

test("lag tells how late turns are when the process is busy", () => {
  const { clock, taken, pacer } = bench();
  pacer.schedule(new Turn("a", taken), 10);
  clock.advance(250);
  pacer.run();
  assert.equal(pacer.lag, 240);
});

const step = fc.record({
  kind: fc.constantFrom("schedule", "hurry", "cancel", "advance", "run"),
  who: fc.integer({ min: 0, max: 3 }),
  millis: fc.oneof(fc.integer({ min: 0, max: 50 }), fc.constantFrom(65_000, 66_000, 131_072, 140_000)),
});

test("under any sequence of schedule, hurry and cancel no turn is lost, doubled or early", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const { clock, taken, pacer } = bench();
      const due: (number | undefined)[] = [];
      const hurried: boolean[] = [];
      const slack: boolean[] = [];
      const turns = [0, 1, 2, 3].map((who) => new Turn(String(who), taken));
      const check = () => {
        for (const { name, at } of taken.splice(0)) {
          const who = Number(name);
          const wasDue = due[who] !== undefined && due[who] <= at;
          assert.ok(wasDue || hurried[who] || slack[who], `${name} has a turn at ${at} that it should not have`);
          // Hurried in the very slot in which it was due: the wheel's own turn may be this one, or come later.
          if (hurried[who]) slack[who] ||= wasDue;
          else if (!wasDue) slack[who] = false;
          if (wasDue) due[who] = undefined;
          hurried[who] = false;
        }
      };
      const run = () => {
        pacer.run();
        const now = clock.millis();
        const late = due.findIndex((time) => time !== undefined && time + 8 < now);
        check();
        assert.ok(late < 0 || due[late] === undefined, `the turn of ${late} at ${due[late]} did not come until ${now}`);
        assert.ok(!hurried.includes(true), "who is hurried has a turn in the next slice");
      };
      for (const { kind, who, millis } of steps) {
        if (kind === "schedule") {
          due[who] = clock.millis() + millis;
          pacer.schedule(turns[who], due[who]);
        } else if (kind === "hurry") {
          hurried[who] = true;
          pacer.scheduleNow(turns[who]);
        } else if (kind === "cancel") {
          due[who] = undefined;
          hurried[who] = false;
          pacer.cancel(turns[who]);
        } else if (kind === "advance") clock.advance(millis);
        else run();
      }
      run();
      for (let rest = 0; rest < 5; rest++) {
        clock.advance(65_536);
        run();
      }
      assert.deepEqual(
        due.filter((time) => time !== undefined),
        [],
        "turns that never came",
      );
    }),
    { numRuns: 1_000 },
  );
});

test("started, it runs a third as often while no turn is to come, and as before when one is", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { clock, taken, pacer } = bench();
  const runsIn = (millis: number) => {
    const before = pacer.runs;
    for (let passed = 0; passed < millis; passed++) {
      clock.advance(1);
      t.mock.timers.tick(1);
    }
    return pacer.runs - before;
  };
  pacer.start();
  assert.equal(runsIn(1_200), 100);
  const turn = new Turn("a", taken, (now) => {
    if (now < 2_000) pacer.schedule(turn, now + 50);
    return DONE;
  });
  pacer.schedule(turn, clock.millis() + 50);
  assert.equal(runsIn(600), 150);
  for (const [index, { at }] of taken.entries()) assert.ok(at <= 1_200 + (index + 1) * 58, `turn ${index} at ${at}`);
  pacer.cancel(turn);
  runsIn(4);
  assert.equal(runsIn(1_200), 100);
  pacer.stop();
  assert.equal(runsIn(100), 0);
});

test("started, it gives turns by itself, to who is hurried before the timer's next beat", async () => {
  const clock = new SystemClock();
  const pacer = new FlushScheduler(clock, 4);
  pacer.start();
  try {
    const due = clock.millis() + 20;
    const at = await new Promise<number>((resolve) => {
      pacer.schedule(new Turn("a", [], done(resolve)), due);
    });
    assert.ok(at >= due);
    const order: string[] = [];
    await new Promise<number>((resolve) => {
      pacer.scheduleNow(
        new Turn(
          "b",
          [],
          done(() => resolve(order.push("turn"))),
        ),
      );
      order.push("hurried");
    });
    assert.deepEqual(order, ["hurried", "turn"], "never from within the call");
  } finally {
    pacer.stop();
  }
});
