import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ManualClock } from "../../base/clock.ts";
import { type CommandOwner, CommandQueue, type Steps } from "./command_queue.ts";
import { CommandScheduler } from "./command_scheduler.ts";
import { TokenBucket } from "./token_bucket.ts";

/** An owner whose commands are one byte: how many steps they take. */
class Owner implements CommandOwner {
  isWritable = true;
  /** Steps that catching up still takes. */
  behind = 0;
  readonly done: string[] = [];
  readonly queue: CommandQueue;
  #command = 0;
  #isUnderWay = false;

  constructor(scheduler: CommandScheduler, clock: ManualClock, perSecond = 1e6, limit = 1_000) {
    this.queue = new CommandQueue(this, scheduler, clock, new TokenBucket(perSecond, perSecond, 0), limit);
  }

  say(steps: number, bytes = 1): boolean {
    const message = new Uint8Array(bytes).fill(steps);
    const isTaken = this.queue.push(message, true, 10_000);
    // As the socket's memory: good only until the call returns.
    message.fill(255);
    return isTaken;
  }

  mustCatchUp(): boolean {
    return this.behind > 0;
  }

  catchUp(): void {
    assert.ok(!this.#isUnderWay, "in the middle of a command");
    assert.ok(this.isWritable);
    this.behind--;
  }

  begin([steps]: Uint8Array): Steps | undefined {
    assert.ok(this.isWritable);
    const command = this.#command++;
    this.done.push(`${command}`);
    return steps === 0 ? undefined : this.#steps(command, steps);
  }

  *#steps(command: number, steps: number): Generator<number, number, void> {
    this.#isUnderWay = true;
    for (let step = 1; step < steps; step++) {
      this.done.push(`${command}.${step}`);
      yield 1;
    }
    this.done.push(`${command}.${steps}`);
    this.#isUnderWay = false;
    return 1;
  }
}

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("say" as const), steps: fc.nat(4), bytes: fc.constantFrom(1, 300) }),
  },
  { weight: 4, arbitrary: fc.constant({ kind: "run" as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("writable" as const), is: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("behind" as const), steps: fc.nat(3) }) },
);

test("commands are carried out in order, each once and whole, however they are cut into steps", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(0, 1), (steps, sliceTime) => {
      const clock = new ManualClock();
      const scheduler = new CommandScheduler(clock, sliceTime);
      const owner = new Owner(scheduler, clock);
      const expected: string[] = [];
      let said = 0;
      for (const each of steps) {
        if (each.kind === "run") scheduler.run();
        else if (each.kind === "writable") owner.isWritable = each.is;
        else if (each.kind === "behind") owner.behind += each.steps;
        else if (owner.say(each.steps, each.bytes)) {
          expected.push(`${said}`, ...Array.from({ length: each.steps }, (_, index) => `${said}.${index + 1}`));
          said++;
        }
        assert.deepEqual(owner.done, expected.slice(0, owner.done.length));
        if (each.kind === "writable") owner.queue.resume();
      }
      owner.isWritable = true;
      owner.queue.resume();
      while (scheduler.waiting > 0) scheduler.run();
      assert.deepEqual(owner.done, expected);
      assert.equal(scheduler.pendingBytes, 0);
    }),
    { numRuns: 2_000 },
  );
});

test("what waits has an end, for one connection and for all; what closes gives its room back", () => {
  const clock = new ManualClock();
  const scheduler = new CommandScheduler(clock, 0);
  const greedy = new Owner(scheduler, clock);
  greedy.isWritable = false;
  assert.deepEqual(
    [1, 2, 3, 4].map(() => greedy.say(1, 300)),
    [true, true, true, false],
  );
  const others = Array.from({ length: 40 }, () => new Owner(scheduler, clock));
  for (const other of others) other.isWritable = false;
  assert.equal(others.filter((other) => other.say(1, 900)).length, 10);
  for (const each of [greedy, ...others]) each.queue.close();
  assert.equal(scheduler.pendingBytes, 0);
  assert.equal(greedy.done.length, 0);
});

test("who has touched more than allowed waits; a short message of another's does not wait for it", () => {
  const clock = new ManualClock();
  const scheduler = new CommandScheduler(clock, 1);
  const greedy = new Owner(scheduler, clock, 10);
  for (let count = 0; count < 5; count++) greedy.say(4, 1);
  const { length } = greedy.done;
  assert.ok(length < 5 * 5);
  new Owner(scheduler, clock).say(0);
  const modest = new Owner(scheduler, clock);
  modest.say(0);
  assert.equal(modest.done.length, 1);
  clock.advance(500);
  greedy.queue.resume();
  while (scheduler.waiting > 0) scheduler.run();
  assert.ok(greedy.done.length > length && greedy.done.length < 5 * 5);
});

test("those who wait take turns, a step each", () => {
  const clock = new ManualClock();
  const scheduler = new CommandScheduler(clock, 0);
  const [one, other] = [new Owner(scheduler, clock), new Owner(scheduler, clock)];
  one.say(4);
  other.say(4);
  const seen: number[] = [];
  while (scheduler.waiting > 0) {
    scheduler.run();
    seen.push(one.done.length - other.done.length);
  }
  assert.ok(
    seen.every((difference) => Math.abs(difference) <= 1),
    `${seen}`,
  );
});

/** An owner whose commands have their steps only when the test says so. */
class LateOwner implements CommandOwner {
  readonly isWritable = true;
  readonly done: string[] = [];
  readonly waiting: ((steps: Steps | undefined) => void)[] = [];

  mustCatchUp(): boolean {
    return false;
  }

  catchUp(): void {}

  begin([name]: Uint8Array): Promise<Steps | undefined> | undefined {
    this.done.push(`begin ${name}`);
    if (name === 0) return undefined;
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  *steps(name: number): Generator<number, number, void> {
    this.done.push(`step ${name}`);
    yield 1;
    this.done.push(`end ${name}`);
    return 1;
  }
}

test("a command that waits for its steps holds up those behind it, and nothing else", async () => {
  const clock = new ManualClock();
  const scheduler = new CommandScheduler(clock, 1);
  const owner = new LateOwner();
  const queue = new CommandQueue(owner, scheduler, clock, new TokenBucket(1e6, 1e6, 0), 1_000);
  const push = (name: number) => queue.push(Uint8Array.of(name), true, 10_000);
  const other = new Owner(scheduler, clock);
  for (const name of [1, 0, 2]) assert.ok(push(name));
  other.say(1);
  scheduler.run();
  assert.deepEqual(owner.done, ["begin 1"]);
  assert.deepEqual(other.done, ["0", "0.1"]);
  owner.waiting[0](owner.steps(1));
  await new Promise(setImmediate);
  scheduler.run();
  assert.deepEqual(owner.done, ["begin 1", "step 1", "end 1", "begin 0", "begin 2"]);
  owner.waiting[1](undefined);
  await new Promise(setImmediate);
  push(0);
  scheduler.run();
  assert.deepEqual(owner.done.slice(5), ["begin 0"]);
  assert.equal(scheduler.pendingBytes, 0);
});

test("a connection that closes while a command waits takes no step of it", async () => {
  const clock = new ManualClock();
  const scheduler = new CommandScheduler(clock, 1);
  const owner = new LateOwner();
  const queue = new CommandQueue(owner, scheduler, clock, new TokenBucket(1e6, 1e6, 0), 1_000);
  for (const name of [1, 2]) queue.push(Uint8Array.of(name), true, 10_000);
  queue.close();
  owner.waiting[0](owner.steps(1));
  await new Promise(setImmediate);
  scheduler.run();
  assert.deepEqual(owner.done, ["begin 1"]);
  assert.equal(scheduler.pendingBytes, 0);
});
