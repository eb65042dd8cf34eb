import assert from "node:assert/strict";
import { test } from "node:test";
import { type LogOutput, LogStream } from "./log_stream.ts";

/** An output that takes what the test says, when it says so. */
class SlowOutput implements LogOutput {
  text = "";
  /** What is being written, and who waits for it. */
  pending: { text: Buffer; done: (error: NodeJS.ErrnoException | null, written: number) => void } | undefined;
  /** What is being written, as text. */
  get written(): string {
    return String(this.pending?.text);
  }

  /** The error code of every write from now on. */
  failure: string | undefined;

  write(text: Buffer, done: (error: NodeJS.ErrnoException | null, written: number) => void): void {
    assert.equal(this.pending, undefined, "one write at a time");
    this.pending = { text, done };
  }

  writeSync(text: Buffer): number {
    if (this.failure) throw Object.assign(new Error(this.failure), { code: this.failure });
    this.text += text;
    return text.length;
  }

  /** Ends the write under way, having taken so many bytes. */
  take(bytes = Number.POSITIVE_INFINITY): void {
    const { text, done } = this.pending!;
    this.pending = undefined;
    if (this.failure) return done(Object.assign(new Error(this.failure), { code: this.failure }), 0);
    const taken = text.subarray(0, bytes);
    this.text += taken;
    done(null, taken.length);
  }
}

const lostLine = (count: number) => `lost ${count}\n`;
const turn = () => new Promise((resolve) => setImmediate(resolve));

test("lines are written in order, those of one turn in one go, the rest behind what is under way", async () => {
  const output = new SlowOutput();
  const stream = new LogStream(output, lostLine);
  stream.write("a\n");
  stream.write("b\n");
  assert.equal(output.pending, undefined, "not before the turn is over");
  await turn();
  assert.equal(output.written, "a\nb\n");
  stream.write("c\n");
  await turn();
  output.take(3);
  output.take();
  output.take();
  assert.equal(output.text, "a\nb\nc\n");
});

test("an output that takes nothing costs a bounded amount, and is told what was lost", async () => {
  const output = new SlowOutput();
  const stream = new LogStream(output, lostLine);
  const line = `${"x".repeat(999)}\n`;
  stream.write("first\n");
  await turn();
  for (let count = 0; count < 5_000; count++) stream.write(line);
  output.take();
  assert.equal(output.written.length - lostLine(3_952).length, 1_048_000);
  output.take();
  assert.ok(output.text.startsWith("first\nlost 3952\nxxx"));
});

test("a reader that has gone, or a full disk, is no error; lines come through when there is room again", async () => {
  const output = new SlowOutput();
  const stream = new LogStream(output, lostLine);
  for (const failure of ["EPIPE", "ENOSPC", "EIO"]) {
    output.failure = failure;
    stream.write("gone\n");
    await turn();
    output.take();
  }
  output.failure = undefined;
  stream.write("back\n");
  await turn();
  output.take();
  assert.equal(output.text, "lost 3\nback\n");
});

test("at the end what waits is written at once, and a failure is no error", async () => {
  const output = new SlowOutput();
  const stream = new LogStream(output, lostLine);
  stream.write("last words\n");
  stream.flushSync();
  assert.equal(output.text, "last words\n");
  await turn();
  assert.equal(output.pending, undefined, "not a second time");
  for (const failure of ["EPIPE", "EAGAIN"]) {
    output.failure = failure;
    stream.write("nobody hears\n");
    stream.flushSync();
  }
});
