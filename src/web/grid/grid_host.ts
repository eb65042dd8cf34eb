/** What the grid needs from the page, and the commands that its user gives. */
import type { Rejection } from "../../client/client.ts";
import type { Instrument } from "../state/instrument.ts";
import type { SortKey } from "../state/keep.ts";

export interface GridHost {
  instrumentOf(symbol: string): Instrument | undefined;
  /** Why the gateway has refused a symbol or pattern. */
  refusalOf(text: string): Rejection | undefined;
  /** These symbols are on the screen. */
  shown(symbols: readonly string[]): void;
  open(symbol: string): void;
  remove(text: string): void;
  /** One position up or down. */
  step(text: string, direction: -1 | 1): void;
  /** Before another entry, or to the end. */
  move(text: string, before: string | undefined): void;
  fold(pattern: string, isFolded: boolean): void;
  sortBy(key: SortKey): void;
}
