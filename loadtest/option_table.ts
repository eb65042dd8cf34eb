/** The options of a script in this folder, as a table. They are read as the product's own settings are. */
import { parseFlags, readValue } from "../src/settings/command_line.ts";
import type { Kind } from "../src/settings/option.ts";

/**
 * One option. Where the default is a list, the flag may be given several times; where it is `false`, it is a switch.
 */
export interface Option<T> {
  readonly kind: Kind<T>;
  readonly default: T;
  readonly help: string;
}

/** Options by flag. */
export type OptionTable = Readonly<Record<string, Option<unknown>>>;
export type OptionValues<Table extends OptionTable> = {
  readonly [Flag in keyof Table]: Table[Flag] extends Option<infer T> ? T : never;
};

/** The column where the text about a flag starts in the help. */
const HELP_COLUMN = 24;

export function option<T>(kind: Kind<T>, fallback: T, help: string): Option<T> {
  return { kind, default: fallback, help };
}

/**
 * Reads a command line. Returns undefined for `--help`.
 * @returns all values, and the flags that the command line has
 * @throws UsageError that names the flag and its range
 */
export function readTable<Table extends OptionTable>(
  table: Table,
  args: readonly string[],
): { values: OptionValues<Table>; given: ReadonlySet<string> } | undefined {
  const flags = Object.entries(table).map(([flag, { default: fallback }]) => ({ flag, default: fallback }));
  const { values: texts } = parseFlags([...flags, { flag: "help", default: false }], args, false);
  if (texts.help === true) return undefined;
  const values = Object.entries(table).map(([flag, entry]) => {
    const text = texts[flag];
    return [flag, text === undefined ? entry.default : readValue(entry, `--${flag}`, text)];
  });
  return { values: Object.fromEntries(values), given: new Set(Object.keys(texts)) };
}

/** The help: one line for each flag. */
export function tableHelp(table: OptionTable): string {
  return Object.entries(table)
    .map(([flag, { kind, default: fallback, help }]) => {
      if (fallback === false) return `${`  --${flag}`.padEnd(HELP_COLUMN)}${help}\n`;
      const left = `  --${flag} ${kind.arg}`.padEnd(HELP_COLUMN - 1);
      const isEmpty = fallback === "" || (Array.isArray(fallback) && fallback.length === 0);
      return `${left} ${help}: ${kind.range}${isEmpty ? "" : `; ${fallback}`}\n`;
    })
    .join("");
}
