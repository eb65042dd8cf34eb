/** The options of `npm run bench:peers`. */
import { boolean, decimal, integer, text, UsageError } from "../../src/settings/option.ts";
import { type OptionValues, option, readTable, tableHelp } from "../option_table.ts";
import { PEERS } from "./peers.ts";

const OPTIONS = {
  peers: option(
    text("NAMES", "names with commas between", /^[a-z0-9,-]*$/),
    "",
    "The peers (`tickgate-MS`: any interval); `all`: with variants; empty: all except variants",
  ),
  loads: option(
    text("NAMES", "names with commas between", /^[a-z,]+$/),
    "moderate,brisk,heavy,full",
    "The loads: moderate, brisk, heavy, full",
  ),
  rounds: option(integer(1, 100), 3, "How often each peer is measured"),
  seconds: option(decimal(0.5, 3_600), 2, "Length of a measurement, seconds"),
  warm: option(
    decimal(0, 600),
    5,
    "Wait between the last connection and the measurement, seconds: JIT compilers need it",
  ),
  slow: option(decimal(0, 50), 5, "Slow clients, in %; 0 leaves out the scenarios with them"),
  "slow-bytes": option(integer(512, 10_000_000), 10_000, "Bytes per second that a slow client reads"),
  fresh: option(integer(1, 60_000), 1_000, "Highest age of a fresh update, ms"),
  scale: option(decimal(0.001, 10), 1, "Factor for the connections and the tick rate of each load"),
  "server-cores": option(text("CORES", "cores as taskset takes them", /^[\d,-]+$/), "0", "Where the server runs"),
  "load-cores": option(text("CORES", "cores as taskset takes them", /^[\d,-]+$/), "1", "Where everything else runs"),
  json: option(text("FILE", "a file", /./), "", "Also write the results to this file"),
  from: option(text("FILE", "a file", /./), "", "Do not measure; read the results from this file"),
  together: option(
    boolean(),
    false,
    "All peers at once on the same cores: ratios stay valid while the machine's speed changes, ages do not",
  ),
  document: option(boolean(), false, "Write docs/comparison.md and its picture"),
} as const;

/** The values of all options. */
export type Options = OptionValues<typeof OPTIONS>;

/**
 * Reads the command line. Returns undefined for `--help`.
 * @throws UsageError that names the option and its range
 */
export function readOptions(args: readonly string[]): Options | undefined {
  const values = readTable(OPTIONS, args)?.values;
  if (values?.document && values.together) throw new UsageError("--document cannot be combined with --together");
  return values;
}

export function help(): string {
  const peers = PEERS.map(
    ({ name, title, isVariant }) => `  ${name.padEnd(22)}${title}${isVariant ? " (variant)" : ""}`,
  );
  return `${["npm run bench:peers -- [--OPTION VALUE …]", tableHelp(OPTIONS), "peers:", ...peers].join("\n")}\n`;
}
