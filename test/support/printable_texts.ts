/** Texts of servers and clients that attack a reader's terminal. */
import fc from "fast-check";

/** Characters that a terminal executes, or does not show: by number, not by the classes that the product uses. */
const HARMFUL: readonly (readonly [from: number, to: number])[] = [
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0xad, 0xad],
  [0x61c, 0x61c],
  [0x115f, 0x1160],
  [0x180b, 0x180f],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0x3164, 0x3164],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
  [0xfff9, 0xfffb],
  [0xe0001, 0xe0001],
  [0xe0020, 0xe007f],
  [0xe0100, 0xe01ef],
];

export function isPrintable(text: string): boolean {
  if (!text.isWellFormed()) return false;
  return [...text].every((character) => {
    const code = character.codePointAt(0) as number;
    return !HARMFUL.some(([from, to]) => code >= from && code <= to);
  });
}

const harmful = fc
  .constantFrom(...HARMFUL)
  .chain(([from, to]) => fc.integer({ min: from, max: to }))
  .map((code) => String.fromCodePoint(code));
const sequence = fc.constantFrom(
  "\x1b[2J",
  "\x1b[1;1H",
  "\x1b]0;title\x07",
  "\x1b]52;c;aGk=\x07",
  "\x9b31m",
  "\r\n",
  "\x1b[8m",
);

/** Random texts, most of them with such characters. */
export const outsideText: fc.Arbitrary<string> = fc
  .array(fc.oneof(harmful, sequence, fc.string({ unit: "binary", maxLength: 5 }), fc.string({ maxLength: 5 })), {
    maxLength: 6,
  })
  .map((parts) => parts.join(""));
