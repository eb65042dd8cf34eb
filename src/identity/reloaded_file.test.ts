/** A file that is read again: what is taken over, what is reported, and how often. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { MountedFolder } from "../../test/support/mounted_folder.ts";
import { ManualClock } from "../base/clock.ts";
import { ReloadedFile } from "./reloaded_file.ts";

function open(t: TestContext) {
  const mounted = new MountedFolder(t, { number: "1" });
  const clock = new ManualClock();
  const events: string[] = [];
  const parse = (text: string) => {
    if (Number.isNaN(Number(text))) throw new Error(`${text} is no number`);
    return Number(text);
  };
  const file = new ReloadedFile(mounted.path("number"), clock, parse);
  file.watch({
    changed: () => events.push(`changed to ${file.value}`),
    failed: (reason) => events.push(`failed: ${reason}`),
  });
  t.after(() => file.close());
  const write = (number: string) => {
    mounted.replace({ number });
    clock.advance(1_000);
    file.check();
  };
  return { file, clock, events, write };
}

test("good content is taken over; bad content is reported once, and the last good stays", (t) => {
  const { file, clock, events, write } = open(t);
  file.check();
  write("2");
  write("x");
  write("x");
  write("y");
  assert.deepEqual([file.value, file.counts.failures], [2, 3]);
  assert.equal(file.counts.failingSince, clock.millis() - 2_000);
  write("3");
  assert.deepEqual([file.value, file.counts.failingSince, file.counts.readAt], [3, undefined, clock.millis()]);
  write("x");
  assert.deepEqual(events, [
    "changed to 2",
    "failed: x is no number",
    "failed: y is no number",
    "changed to 3",
    "failed: x is no number",
  ]);
});

test("while it is bad it is read again each minute, so that failures go on being counted", (t) => {
  const { file, events, write } = open(t);
  write("x");
  for (let check = 0; check < 180; check++) file.check();
  assert.deepEqual([file.counts.failures, events.length], [4, 1]);
  write("2");
  for (let check = 0; check < 180; check++) file.check();
  assert.equal(file.counts.failures, 4);
});

test("a file that cannot be used at the start is an error", (t) => {
  const mounted = new MountedFolder(t, { number: "1" });
  assert.throws(() => new ReloadedFile(mounted.path("none"), new ManualClock(), Number), /ENOENT/);
  assert.throws(() => new ReloadedFile(mounted.path("number"), new ManualClock(), () => assert.fail("bad")), /bad/);
});
