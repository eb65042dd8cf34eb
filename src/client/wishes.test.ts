import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeCommand } from "./codec.ts";
import { ManualTime } from "./fake.testing.ts";
import { Outbox } from "./outbox.ts";
import { commandsOf, Wishes } from "./wishes.ts";

test("wishes with the same terms are one command, however they came", () => {
  const wishes = new Wishes();
  for (const symbol of ["A", "B", "C"]) wishes.want([symbol], { interval: 100, fields: ["bid"] });
  wishes.want(["D"], { interval: 100 });
  wishes.want(["E"], {});
  wishes.want(["F"], { interval: 0 });
  assert.deepEqual(wishes.commands(1_000), [
    { op: "subscribe", symbols: ["A", "B", "C"], interval: 100, fields: ["bid"] },
    { op: "subscribe", symbols: ["D"], interval: 100 },
    { op: "subscribe", symbols: ["E"] },
    { op: "subscribe", symbols: ["F"], interval: 0 },
  ]);
});

test("the last wish of a symbol holds, and one that is void is forgotten", () => {
  const wishes = new Wishes();
  wishes.want(["A:1", "B:1"], {});
  wishes.want(["A:*"], { interval: 5 });
  wishes.want(["B:1"], { interval: 9 });
  assert.deepEqual(wishes.commands(1_000), [
    { op: "subscribe", symbols: ["A:*"], interval: 5 },
    { op: "subscribe", symbols: ["B:1"], interval: 9 },
  ]);
  wishes.unwant(["B:1"]);
  assert.equal(wishes.size, 1);
});

test("what is not wanted under a pattern is asked for, and then given up, in that order", () => {
  const wishes = new Wishes();
  wishes.want(["*"], {});
  wishes.unwant(["A:1", "B:*"]);
  wishes.want(["B:2"], {});
  assert.deepEqual(
    wishes.commands(1_000).map(({ op, ...rest }) => [op, "symbols" in rest ? rest.symbols : []]),
    [
      ["subscribe", ["*"]],
      ["unsubscribe", ["A:1", "B:*"]],
      ["subscribe", ["B:2"]],
    ],
  );
  wishes.unwant(["*"]);
  assert.deepEqual(wishes.commands(1_000), []);
});

test("no command is longer than the gateway takes", () => {
  const symbols = Array.from({ length: 1_000 }, (_, index) => `VENUE:SYMBOL-${index}`);
  for (const limit of [256, 4_096, 32_768]) {
    const commands = commandsOf(symbols, { interval: 250, fields: ["bid", "ask"] }, limit);
    for (const command of commands)
      for (const json of [true, false]) assert.ok(encodeCommand(command, json).length <= limit);
    assert.deepEqual(
      commands.flatMap((command) => ("symbols" in command ? command.symbols : [])),
      symbols,
    );
  }
  assert.equal(commandsOf(symbols, null, 32_768).length, 1);
});

test("commands go out no faster than the gateway takes them, and not without end", () => {
  const time = new ManualTime();
  const sent: number[] = [];
  const outbox = new Outbox(time, 10, () => sent.push(time.millis()));
  for (let command = 0; command < 30; command++) outbox.add({ op: "ping" });
  assert.equal(sent.length, 4, "a burst of half a second's");
  time.advance(10_000);
  assert.equal(sent.length, 30);
  // A bucket of 10, filled 10 a second, as the gateway has it, never runs dry.
  for (let first = 0; first < sent.length; first++)
    for (let last = first; last < sent.length; last++)
      assert.ok(last - first + 1 <= 10 + ((sent[last] - sent[first]) / 1_000) * 10);
  for (let command = 0; command < 10_004; command++) outbox.add({ op: "ping" });
  assert.throws(() => outbox.add({ op: "ping" }), /10000 commands wait/);
  outbox.close();
  assert.equal(time.timers, 0);
});
