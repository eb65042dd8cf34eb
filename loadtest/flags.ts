/** The flags of a script of this folder: read by one table, refused with their range, listed by `--help`. */
import { parseArgs } from "node:util";
import { type Kind, UsageError } from "../src/settings/option.ts";

/** One flag. Where the default is a list, the flag may be given several times; where it is `false`, it is a switch. */
export interface Flag<T> {
  readonly kind: Kind<T>;
  readonly default: T;
  readonly help: string;
}

export type Flags = Readonly<Record<string, Flag<unknown>>>;
export type FlagValues<F extends Flags> = { readonly [Name in keyof F]: F[Name] extends Flag<infer T> ? T : never };

/** Where the help begins to say what a flag is. */
const HELP_COLUMN = 24;

/** A flag, its default of its kind. */
export function flag<T>(kind: Kind<T>, fallback: T, help: string): Flag<T> {
  return { kind, default: fallback, help };
}

/**
 * Reads a command line. Undefined when the help is wanted.
 * @throws UsageError that names the flag and its range
 */
export function readFlags<F extends Flags>(
  flags: F,
  args: readonly string[],
): { values: FlagValues<F>; given: ReadonlySet<string> } | undefined {
  const options: Record<string, { type: "string" | "boolean"; multiple?: boolean }> = { help: { type: "boolean" } };
  for (const [name, { default: fallback }] of Object.entries(flags))
    options[name] = { type: fallback === false ? "boolean" : "string", multiple: Array.isArray(fallback) };
  let texts: Record<string, string | boolean | (string | boolean)[] | undefined>;
  try {
    texts = parseArgs({ args: [...args], options, strict: true }).values;
  } catch (error) {
    // parseArgs explains in its first sentence; the rest is about how to pass such a word as an operand.
    throw new UsageError((error as Error).message.split(". ")[0].replaceAll("\n", " "), { cause: error });
  }
  if (texts.help === true) return undefined;
  const values: Record<string, unknown> = {};
  for (const [name, { kind, default: fallback }] of Object.entries(flags)) {
    const given = texts[name];
    values[name] = given === undefined ? fallback : readAll(name, kind, Array.isArray(given) ? given : [given]);
  }
  return { values: values as FlagValues<F>, given: new Set(Object.keys(texts)) };
}

function readAll(name: string, kind: Kind<unknown>, texts: readonly (string | boolean)[]): unknown {
  const values = texts.map((text) => {
    const value = kind.read(String(text));
    if (value === undefined) throw new UsageError(`--${name} must be ${kind.range}, not ${JSON.stringify(text)}`);
    return value;
  });
  return Array.isArray(values[0]) ? values.flat() : values.at(-1);
}

/** The help, a line for each flag. */
export function flagsHelp(flags: Flags): string {
  return Object.entries(flags)
    .map(([name, { kind, default: fallback, help }]) => {
      const isSwitch = fallback === false;
      const left = `  --${name}${isSwitch ? "" : ` ${kind.arg}`}`.padEnd(HELP_COLUMN);
      const some = isSwitch || fallback === "" || (Array.isArray(fallback) && fallback.length === 0);
      return `${left.endsWith(" ") ? left : `${left} `}${help}${isSwitch ? "" : `: ${kind.range}`}${some ? "" : `; ${fallback}`}\n`;
    })
    .join("");
}
