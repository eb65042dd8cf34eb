/** The options of the fan-out benchmark: what is measured, and its bounds. */
import { parseArgs } from "node:util";
import { integer, type Kind, UsageError } from "../src/option.ts";

interface Option {
  readonly kind: Kind<number>;
  readonly default: number;
  readonly help: string;
}

const OPTIONS = {
  connections: { kind: integer(1, 20_000), default: 1_000, help: "Connections" },
  symbols: { kind: integer(1, 100_000), default: 1_000, help: "Symbols in the market" },
  "per-connection": { kind: integer(1, 20_000), default: 50, help: "Symbols that each connection subscribes to" },
  rate: { kind: integer(1, 1_000_000, "ticks a second"), default: 20_000, help: "Ticks of the whole market" },
  interval: { kind: integer(0, 60_000, "ms"), default: 100, help: "The interval of every subscription" },
  seconds: { kind: integer(1, 86_400), default: 10, help: "How long is measured" },
  warm: { kind: integer(1, 600, "seconds"), default: 3, help: "How long to wait before, with everyone connected" },
  slow: { kind: integer(0, 20_000), default: 0, help: "How many of the connections read slowly" },
  "slow-rate": { kind: integer(512, 10_000_000, "bytes a second"), default: 10_000, help: "How slowly each of those" },
} as const satisfies Record<string, Option>;
export type Options = Record<keyof typeof OPTIONS, number>;

/**
 * Reads the command line. Undefined when the help is wanted.
 * @throws UsageError that names the option and its range
 */
export function readOptions(): { options: Options; profile: string | undefined } | undefined {
  const names = Object.keys(OPTIONS) as (keyof Options)[];
  let values: Record<string, string | boolean | undefined>;
  try {
    const flags = Object.fromEntries(names.map((name) => [name, { type: "string" as const }]));
    ({ values } = parseArgs({ options: { ...flags, profile: { type: "string" }, help: { type: "boolean" } } }));
  } catch (error) {
    throw new UsageError((error as Error).message.split(". ")[0], { cause: error });
  }
  if (values.help === true) return undefined;
  const options = {} as Options;
  for (const name of names) {
    const { kind, default: fallback } = OPTIONS[name];
    const text = values[name];
    const value = text === undefined ? fallback : kind.read(String(text));
    if (value === undefined) throw new UsageError(`--${name} must be ${kind.range}, not ${JSON.stringify(text)}`);
    options[name] = value;
  }
  if (options["per-connection"] > options.symbols)
    throw new UsageError("--per-connection must not be more than --symbols");
  if (options.slow > options.connections) throw new UsageError("--slow must not be more than --connections");
  return { options, profile: values.profile as string | undefined };
}

export function help(): string {
  const lines = Object.entries(OPTIONS).map(
    ([name, option]) => `${`  --${name} N`.padEnd(24)}${option.help}: ${option.kind.range}; ${option.default}`,
  );
  return `${["node loadtest/bench_fanout.ts", ...lines, "  --profile FOLDER      Write a CPU profile of the gateway there"].join("\n")}\n`;
}
