import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../../settings/option.ts";
import { parseCapture, readCapture } from "./capture.ts";

test("the kinds of lines are told apart, answers over HTTP too", () => {
  const capture = parseCapture(
    'wss://a.example <-> 1.5\r\nwss://a.example <- 2: {"x":": 1"}\n3.25: {"a":1}\nhttps://a.example/x?y=1 -> 3.5: {}\n4: plain: text\n\n',
    "c",
  );
  assert.deepEqual(capture, {
    urls: ["wss://a.example"],
    sent: ['{"x":": 1"}'],
    waits: true,
    received: [
      { time: 3.25, text: '{"a":1}' },
      { time: 4, text: "plain: text" },
    ],
    answers: [{ url: "https://a.example/x?y=1", text: "{}" }],
  });
});

test("a venue that spoke first does not wait", () => {
  assert.equal(parseCapture("wss://a.example <-> 1\n2: hello\nwss://a.example <- 3: hello\n", "c").waits, false);
});

test("a broken line is named, and so are a file without messages and one that is not there", () => {
  const refused = (content: string, message: RegExp) =>
    assert.throws(
      () => parseCapture(content, "file.txt"),
      (error) => error instanceof UsageError && message.test(error.message),
    );
  refused("1: a\nrubbish\n", /^file\.txt:2: /);
  refused("wss://a.example <-> soon\n", /^file\.txt:1: /);
  refused("wss://a.example <-> 1\n", /no message/);
  assert.throws(() => readCapture("/no/such/file"), UsageError);
});
