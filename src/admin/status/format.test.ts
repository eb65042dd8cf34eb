import assert from "node:assert/strict";
import { test } from "node:test";
import { amount, bytes, duration, percent, whole } from "./format.ts";

test("numbers are short and have their units", () => {
  const shown: [string, string][] = [
    [amount(0), "0"],
    [amount(0.25), "0.3"],
    [amount(9_876), "9,876"],
    [amount(20_000.4), "20,000"],
    [amount(123_456), "123k"],
    [amount(9_999_499), "9999k"],
    [amount(12_345_678), "12M"],
    [whole(123_456), "123,456"],
    [duration(0), "0.0 ms"],
    [duration(0.34), "0.3 ms"],
    [duration(9.96), "10 ms"],
    [duration(999.4), "999 ms"],
    [duration(999.6), "1.0 s"],
    [duration(12_345), "12.3 s"],
    [duration(59_900), "59.9 s"],
    [duration(61_000), "1 m 01 s"],
    [duration(7_380_000), "2 h 03 m"],
    [duration(90_000_000), "1 d 01 h"],
    [bytes(0), "0 B"],
    [bytes(999.6), "1.0 KB"],
    [bytes(4_096), "4.1 KB"],
    [bytes(32_768), "33 KB"],
    [bytes(212_000_000), "212 MB"],
    [bytes(1_500_000_000), "1.5 GB"],
    [percent(0), "0%"],
    [percent(0.0004), "0.0%"],
    [percent(0.05), "5.0%"],
    [percent(0.5), "50%"],
    [percent(1), "100%"],
  ];
  for (const [text, expected] of shown) assert.equal(text, expected);
});
