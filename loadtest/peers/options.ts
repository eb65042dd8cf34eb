/** The options of `npm run bench:peers`. */
import { parseArgs } from "node:util";
import { decimal, integer, type Kind, text, UsageError } from "../../src/settings/option.ts";
import { PEERS } from "./peers.ts";

interface Option<T> {
  readonly kind: Kind<T>;
  readonly default: T;
  readonly help: string;
}

const OPTIONS = {
  peers: option(
    text("NAMES", "names with commas between", /^[a-z0-9,-]*$/),
    "",
    "Who takes part (`tickgate-MS`: any interval); `all`: variants too; nobody named: all that are none",
  ),
  loads: option(
    text("NAMES", "names with commas between", /^[a-z,]+$/),
    "moderate,brisk,heavy,full",
    "The loads: moderate, brisk, heavy, full",
  ),
  rounds: option(integer(1, 100), 3, "How often everybody has a turn"),
  seconds: option(decimal(0.5, 3_600), 2, "How long is measured"),
  warm: option(
    decimal(0, 600),
    5,
    "How long to wait before, with everyone connected, seconds: until compilers have compiled",
  ),
  slow: option(decimal(0, 50), 5, "Slow readers, in a hundred; 0 leaves the scenarios with them out"),
  "slow-bytes": option(integer(512, 10_000_000), 10_000, "Bytes a second that each of those reads"),
  fresh: option(integer(1, 60_000), 1_000, "Up to which age an update is fresh, ms"),
  scale: option(decimal(0.001, 10), 1, "Connections and ticks a second, as a share of what a load says"),
  "server-cores": option(text("CORES", "cores as taskset takes them", /^[\d,-]+$/), "0", "Where the server runs"),
  "load-cores": option(text("CORES", "cores as taskset takes them", /^[\d,-]+$/), "1", "Where everything else runs"),
  json: option(text("FILE", "a file", /./), "", "Write the results there as well"),
  from: option(text("FILE", "a file", /./), "", "Measure nothing: take the results from there"),
} as const;

type Values = { [Name in keyof typeof OPTIONS]: (typeof OPTIONS)[Name]["default"] };

/** What is asked for. */
export type Options = Values & {
  /** Everybody's turn is at the same time. */
  readonly together: boolean;
  /** Write docs/comparison.md and its picture. */
  readonly document: boolean;
};

function option<T>(kind: Kind<T>, fallback: T, help: string): Option<T> {
  return { kind, default: fallback, help };
}

/**
 * Reads the command line. Undefined when the help is wanted.
 * @throws UsageError that names the option and its range
 */
export function readOptions(args: readonly string[]): Options | undefined {
  const names = Object.keys(OPTIONS) as (keyof typeof OPTIONS)[];
  let values: Record<string, string | boolean | undefined>;
  try {
    const flags = Object.fromEntries(names.map((name) => [name, { type: "string" as const }]));
    const options = {
      ...flags,
      document: { type: "boolean" as const },
      together: { type: "boolean" as const },
      help: { type: "boolean" as const },
    };
    ({ values } = parseArgs({ args: [...args], options }));
  } catch (error) {
    throw new UsageError((error as Error).message.split(". ")[0], { cause: error });
  }
  if (values.help === true) return undefined;
  if (values.document === true && values.together === true)
    throw new UsageError("--document is of turns: not with --together");
  const read: Record<string, unknown> = {
    document: values.document === true,
    together: values.together === true,
  };
  for (const name of names) {
    const { kind, default: fallback } = OPTIONS[name];
    const given = values[name];
    const value = given === undefined ? fallback : kind.read(String(given));
    if (value === undefined) throw new UsageError(`--${name} must be ${kind.range}, not ${JSON.stringify(given)}`);
    read[name] = value;
  }
  return read as Options;
}

export function help(): string {
  const lines = Object.entries(OPTIONS).map(([name, { kind, default: fallback, help: what }]) => {
    const range = kind.range.startsWith("names") ? "" : `: ${kind.range}`;
    return `${`  --${name} ${kind.arg}`.padEnd(24)}${what}${range}${fallback === "" ? "" : `; ${fallback}`}`;
  });
  const peers = PEERS.map(
    ({ name, title, isVariant }) => `  ${name.padEnd(22)}${title}${isVariant ? " (variant)" : ""}`,
  );
  return `${[
    "npm run bench:peers -- [--OPTION VALUE …]",
    ...lines,
    "  --together            All at once on the same cores: ratios hold on a machine whose speed changes; ages say little",
    "  --document            Write docs/comparison.md and its picture",
    "",
    "peers:",
    ...peers,
  ].join("\n")}\n`;
}
