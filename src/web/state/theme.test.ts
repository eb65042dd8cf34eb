/** The colours of both themes can be read: WCAG's contrast of 4.5 for texts, 3 for what is only a sign. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const sheet = readFileSync(new URL("../style/theme.css", import.meta.url), "utf8");

function coloursOf(selector: string): Map<string, string> {
  const start = sheet.indexOf(`${selector} {`);
  const rule = sheet.slice(start, sheet.indexOf("}", start));
  return new Map(Array.from(rule.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g), ([, name, value]) => [name, value]));
}

/** Relative luminance, as WCAG 2 defines it. */
function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].toSorted((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

const GROUNDS = ["surface", "raised", "sunken", "hover", "chosen"];
const PAIRS: readonly (readonly [string, readonly string[], number])[] = [
  ["text", [...GROUNDS, "hatch", "up-tint", "down-tint", "up-fading", "down-fading"], 4.5],
  ["dim", [...GROUNDS, "hatch"], 4.5],
  ["up", GROUNDS, 4.5],
  ["down", GROUNDS, 4.5],
  ["accent", ["surface", "raised"], 4.5],
  ["on-accent", ["accent"], 4.5],
  ["warn", ["warn-back", "surface"], 4.5],
  ["good", ["good-back"], 4.5],
  ["bad", ["bad-back"], 4.5],
  ["up", ["up-tint", "up-fading"], 3],
  ["down", ["down-tint", "down-fading"], 3],
  ["accent", ["sunken", "chosen"], 3],
];

for (const [name, selector] of [
  ["light", ":root"],
  ["dark", ':root[data-theme="dark"]'],
])
  test(`${name}: every colour stands out from what is behind it`, () => {
    const colours = coloursOf(selector);
    assert.ok(colours.size > 20);
    for (const [front, backs, least] of PAIRS)
      for (const back of backs) {
        const found = contrast(colours.get(front) as string, colours.get(back) as string);
        assert.ok(found >= least, `${front} on ${back}: ${found.toFixed(2)}, not ${least}`);
      }
  });
