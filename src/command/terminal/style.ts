/**
 * Colours for a terminal, or none. Each character of a text takes one cell. Text in a table or on a line of its own
 * must pass {@link cut} before it is coloured.
 */

import { printable } from "../../base/printable.ts";
import type { Quote } from "../../client/client.ts";

export interface Style {
  title(text: string): string;
  /** @param move 1 up, -1 down */
  move(text: string, move: number): string;
  /** @param value `+1.2%` or `-1.2%` */
  sign(text: string, value: string): string;
  /** For a price that is not live. */
  old(text: string): string;
  state(text: string, state: Quote["state"]): string;
  good(text: string): string;
  warn(text: string): string;
  bad(text: string): string;
}

const sgr = (code: string) => (text: string) => `\x1b[${code}m${text}\x1b[0m`;
const same = (text: string) => text;

const green = sgr("32");
const red = sgr("31");
const upNow = sgr("1;32");
const downNow = sgr("1;31");
const dim = sgr("2");
const warning = sgr("30;43");

export const COLOURED: Style = {
  title: sgr("1;7"),
  move: (text, move) => (move > 0 ? upNow(text) : move < 0 ? downNow(text) : text),
  sign: (text, value) => (value.startsWith("-") ? (value === "-" ? text : red(text)) : green(text)),
  old: dim,
  state: (text, state) => (state === "stale" ? warning(text) : state === "live" ? green(text) : dim(text)),
  good: green,
  warn: sgr("33"),
  bad: sgr("1;31"),
};

/** For terminals without colours (`NO_COLOR`): the text alone is enough. */
export const PLAIN_STYLE: Style = {
  title: same,
  move: same,
  sign: same,
  old: same,
  state: same,
  good: same,
  warn: same,
  bad: same,
};

/** A printable form of a text, cut to at most so many characters. */
export function cut(text: string, space: number): string {
  // What is printable has half the length at least: no more is looked through, however long the text is.
  const shown = printable(text.slice(0, 2 * space + 2));
  return shown.length <= space ? shown : `${shown.slice(0, Math.max(0, space - 1)).toWellFormed()}…`.slice(0, space);
}
