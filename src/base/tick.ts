/**
 * The tick: one change of one symbol's values at one time, its fields, and the grammar of symbols. All parts of the
 * project use these terms.
 */

/** The fields of protocol version 1, in the order in which "all fields" are granted. */
export const FIELDS = [
  "bid",
  "bidSize",
  "ask",
  "askSize",
  "last",
  "lastSize",
  "open",
  "high",
  "low",
  "volume",
] as const;

/** One of {@link FIELDS}. `open` to `volume` are over the venue's own window, 24 h as a rule. */
export type Field = (typeof FIELDS)[number];

/** The number of values of a whole tick. */
export const FIELD_COUNT = FIELDS.length;

const FIELD_INDEX: ReadonlyMap<string, number> = new Map(FIELDS.map((name, index) => [name, index]));

/** The position of a field in a whole tick's values, or -1 when there is no such field. */
export function fieldIndex(name: string): number {
  return FIELD_INDEX.get(name) ?? -1;
}

/**
 * The fields of a symbol that one message of a source contains.
 * An absent field keeps its value; `null` means that there is no value (an empty side of the order book).
 */
export type TickPatch = { [F in Field]?: number | null };

/** The states of a symbol: `live`; `stale`, its feed is silent; `closed`, its feed has ended for good. */
export const STATES = ["live", "stale", "closed"] as const;

/** The state of a symbol: `live`, `stale` or `closed`. */
export type State = (typeof STATES)[number];

/** A state as the number that tables and the bus hold: its position in {@link STATES}. */
export const LIVE = 0;
export const STALE = 1;
export const CLOSED = 2;

/** The longest symbol, in characters. */
export const SYMBOL_LENGTH = 64;

const SYMBOL = /^[\w.:/=^&+@!$~-]{1,64}$/;
const PREFIX = /^[\w.:/=^&+@!$~-]{0,63}\*$/;
/** The characters of symbols, for messages to people. */
export const SYMBOL_CHARACTERS = "A-Z a-z 0-9 . _ - : / = ^ & + @ ! $ ~";

/** Whether a text is a symbol: 1 to 64 of {@link SYMBOL_CHARACTERS}. */
export function isSymbol(text: string): boolean {
  return SYMBOL.test(text);
}

/** Whether a text is a pattern: a final `*` after a prefix of a symbol, which may be empty. */
export function isPattern(text: string): boolean {
  return PREFIX.test(text);
}
